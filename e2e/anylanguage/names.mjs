// Every name of replhub's contract that this program uses.

export const header = {
  key: "Replhub-Key",
  origin: "Replhub-Origin",
  position: "Replhub-Position", // <epoch>-<seq>
  row: "Replhub-Row", // only on rows of a snapshot or backfill
  errorCode: "Nats-Service-Error-Code",
  pin: "Nats-Pin-Id",
};

export const group = "replhub";

export const subject = {
  publish: (entity, op) => `db.${entity}.${op}`,
  control: (verb, service) => `replhub.${verb}.${service}`,
  pull: (service, p) => `$JS.API.CONSUMER.MSG.NEXT.SUB_${service}.workers-${p}`,
  info: (service, p) => `$JS.API.CONSUMER.INFO.SUB_${service}.workers-${p}`,
  unpin: (service, p) => `$JS.API.CONSUMER.UNPIN.SUB_${service}.workers-${p}`,
  // The server goes by the stream's sequence; the consumer's may be any that it has given out.
  acknowledge: (service, p, seq, consumerSeq) => `$JS.ACK.SUB_${service}.workers-${p}.1.${seq}.${consumerSeq}.0.0`,
};

// eventOf reads a copy: sub.<service>.<entity>.<op>.<partition>.
export function eventOf(message) {
  const [, , entity, op] = message.subject.split(".");
  const has = (name) => message.headers.get(name) || undefined;
  const [epoch, seq] = has(header.position).split("-").map(BigInt); // numbers of 64 bits
  return {
    entity,
    op,
    key: has(header.key), // undefined: the event has no key
    epoch,
    seq,
    row: has(header.row), // undefined: an event, and no row
    data: message.data.length > 0 ? message.json() : undefined,
  };
}
