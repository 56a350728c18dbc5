import { header, subject } from "./names.mjs";

// Refused is a request that the hub has answered with no.
export class Refused extends Error {
  constructor(status, { code, field, message }) {
    super(field ? `${code}: ${field}: ${message}` : `${code}: ${message}`);
    Object.assign(this, { status, code, field });
  }
}

// ask sends a request to the hubs. Whether it was refused is told by the header
// alone, and why by the body.
export async function ask(nc, verb, service, request = {}, timeout = 10_000) {
  const reply = await nc.request(subject.control(verb, service), JSON.stringify(request), { timeout });
  const status = reply.headers?.get(header.errorCode);
  if (status) throw new Refused(status, reply.json().error);
  return reply.json();
}

// register says what the service wants. Each instance does so at each start: it
// changes nothing where nothing has changed.
export async function register(nc, service, interests, queue) {
  for (;;) {
    try {
      return await ask(nc, "register", service, { interests, queue });
    } catch (err) {
      if (err instanceof Refused && err.code !== "unavailable") throw err; // sending it again would not help
      await new Promise((resolve) => setTimeout(resolve, 500)); // no hub yet, or no answer in time
    }
  }
}
