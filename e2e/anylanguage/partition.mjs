import { eventOf, group, header, subject } from "./names.mjs";
import { settle } from "./settle.mjs";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// workPartition handles the copies of one partition, one at a time, until the
// hub has given it to another instance.
export async function workPartition(nc, service, p, handle, lease, work) {
  let pin; // undefined: earlier deliveries have to be called back first
  while (!work.ended) {
    try {
      if (lease.over()) {
        pin = undefined; // another instance may have the partition; the next join says so
        await sleep(50);
        continue;
      }
      if (pin === undefined) {
        await callBack(nc, service, p);
        pin = "";
      }
      const m = await pull(nc, service, p, pin);
      if (m.headers.code === 408) continue; // no copy in time
      if (m.headers.code !== 0 || lease.over()) {
        pin = undefined; // 423: the server has unpinned this instance; others: the consumer has moved
        continue;
      }
      pin = m.headers.get(header.pin);
      const confirm = (verdict) => nc.request(m.reply, verdict, { timeout: 2_000 });
      await settle(handle, eventOf(m), {
        done: () => confirm("+ACK"),
        park: (reason) => confirm(`+TERM ${reason}`),
        again: () => confirm("-NAK"),
        working: () => m.respond("+WPI"),
      });
    } catch (err) {
      console.error(`partition ${p}: ${err.message}`);
      pin = undefined;
      await sleep(100);
    }
  }
  // The next one need not wait two seconds for the pin.
  if (pin) await nc.request(subject.unpin(service, p), JSON.stringify({ group }), { timeout: 1_000 }).catch(() => {});
}

// pull requests one copy. The first request has no pin. The copy that answers it has the
// pin of this instance. Each later request must state that pin, within two seconds.
function pull(nc, service, p, pin) {
  const request = { batch: 1, expires: 1_000_000_000, group }; // nanoseconds
  if (pin !== "") request.id = pin;
  // Its own subscription: a copy comes with its own subject, not with the request's.
  return nc.request(subject.pull(service, p), JSON.stringify(request), { timeout: 3_000, noMux: true });
}

// callBack makes the server send again, first and in order, the copies that were
// delivered and not acknowledged: those that an instance had when it was killed. Without
// it these copies come when ack_wait is over, behind newer copies of their keys.
async function callBack(nc, service, p) {
  const info = (await nc.request(subject.info(service, p), "", { timeout: 2_000 })).json();
  if (info.error) throw new Error(info.error.description);
  if (info.num_ack_pending === 0) return;
  const last = info.delivered;
  const first = Math.max(info.ack_floor.stream_seq + 1, info.config.opt_start_seq ?? 1);
  for (let seq = first; seq < last.stream_seq; seq++) {
    nc.publish(subject.acknowledge(service, p, seq, last.consumer_seq), "-NAK"); // no effect on an acknowledged copy
  }
  // The server handles requests in order, so the answer to the last one covers all.
  await nc.request(subject.acknowledge(service, p, last.stream_seq, last.consumer_seq), "-NAK", { timeout: 2_000 });
}
