// One instance of a service as the test runs it: it records each event that it
// handles, and does what the event's payload says.
import postgres from "postgres";
import { apply } from "./apply.mjs";
import { Park } from "./settle.mjs";
import { serve } from "./service.mjs";

const sql = postgres({ onnotice: () => {} }); // PGHOST and the others say where
const { NATS_URL, SERVICE, NAME, INTERESTS, QUEUE } = process.env;

async function handle(event) {
  const { n = 0, park, fail, hold } = event.data ?? {};
  await sql`INSERT INTO handled (instance, key, n) VALUES (${NAME}, ${event.key ?? ""}, ${n})`;
  if (park) throw new Park(park);
  if (fail) throw new Error(fail);
  while (hold && (await sql`SELECT 1 FROM released WHERE key = ${event.key}`).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await apply(sql, event);
}

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
await serve({
  servers: NATS_URL,
  service: SERVICE,
  interests: JSON.parse(INTERESTS),
  queue: JSON.parse(QUEUE),
  handle,
  signal: stop.signal,
});
await sql.end();
