import { connect } from "@nats-io/transport-node";
import { register } from "./control.mjs";
import { workByKey } from "./member.mjs";
import { work } from "./workers.mjs";

// serve runs one instance of a service until signal is aborted.
export async function serve({ servers, service, interests, queue, handle, signal }) {
  const nc = await connect({ servers, name: service, maxReconnectAttempts: -1 });
  try {
    const { consumers } = await register(nc, service, interests, queue);
    await (consumers.includes("workers") ? work : workByKey)(nc, service, handle, signal);
  } finally {
    await nc.drain();
  }
}
