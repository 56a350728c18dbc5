// Does once what the page says about publishing, requests and pins, and prints the
// results as JSON.
import { jetstream } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { ask } from "./control.mjs";
import { header, subject } from "./names.mjs";
import { publish } from "./publish.mjs";

const nc = await connect({ servers: process.env.NATS_URL });
const js = jetstream(nc);
const said = (promise) => promise.then((value) => ({ value }), (err) => ({ ...err, name: err.name, message: err.message }));
const raw = async (subject, request) => {
  const m = await nc.request(subject, JSON.stringify(request), { timeout: 3_000, noMux: true });
  return { status: m.headers?.code, pin: m.headers?.get(header.pin), description: m.headers?.description };
};
const user = { entity: "user", op: "update", row: { id: "42", name: "Ada" } };

const facts = {
  first: await said(publish(js, { ...user, id: "change-1" })),
  again: await said(publish(js, { ...user, id: "change-1" })),
  unknown_op: await said(publish(js, { ...user, op: "rename" })),
  refused: await said(ask(nc, "register", "audit", { interests: [{ entity: "user", opps: ["create"] }] })),
  refused_filter: await said(ask(nc, "register", "audit", { interests: [{ entity: "user", filter: "data." }] })),
  unknown_verb: await said(ask(nc, "registre", "audit", { entities: ["user"] })),
  registered: await said(
    ask(nc, "register", "audit", { interests: [{ entity: "user", start: "all" }], queue: { order: "key", partitions: 1 } }),
  ),
};
const pull = { batch: 1, expires: 1_000_000_000 };
facts.pull_without_group = await raw(subject.pull("audit", 0), pull);
facts.pull = await raw(subject.pull("audit", 0), { ...pull, group: "replhub" });
facts.pull_with_another_pin = await raw(subject.pull("audit", 0), { ...pull, group: "replhub", id: "another" });
facts.consumer = (await nc.request(subject.info("audit", 0))).json();
console.log(JSON.stringify(facts));
await nc.drain();
