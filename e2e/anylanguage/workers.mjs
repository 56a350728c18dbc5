import { jetstream } from "@nats-io/jetstream";
import { eventOf } from "./names.mjs";
import { settle } from "./settle.mjs";

// work handles copies of a queue without order, until signal is aborted. Any
// number of instances may do so: each copy is handled by one.
export async function work(nc, service, handle, signal) {
  const consumer = await jetstream(nc).consumers.get(`SUB_${service}`, "workers");
  while (!signal.aborted) {
    // As many copies as are handled within ack_wait: later ones go to another instance.
    const batch = await consumer.fetch({ max_messages: 16, expires: 1_000 });
    for await (const m of batch) {
      await settle(handle, eventOf(m), {
        done: () => m.ackAck(),
        park: (reason) => m.term(reason),
        again: () => m.nak(),
        working: () => m.working(),
      });
    }
  }
}
