import { headers } from "@nats-io/transport-node";
import { header, subject } from "./names.mjs";

// publish publishes one change, and returns once the hub's stream has stored it.
// The id makes a retry safe: within ten minutes the server stores it once.
export async function publish(js, { id, origin, entity, op, key, row }) {
  const h = headers();
  if (origin) h.set(header.origin, origin);
  if (key) h.set(header.key, key); // not needed where the row has a member "id"
  const payload = row === undefined ? "" : JSON.stringify(row);
  for (let attempt = 1; ; attempt++) {
    try {
      return await js.publish(subject.publish(entity, op), payload, { msgID: id, headers: h, timeout: 5_000 });
    } catch (err) {
      if (err.name !== "TimeoutError" || attempt === 5) throw err; // it may be stored or not: send it again
    }
  }
}
