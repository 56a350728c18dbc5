import { header, subject } from "./names.mjs";

// Refused is the error of a request that the hub has refused.
export class Refused extends Error {
  constructor(status, { code, field, message }) {
    super(field ? `${code}: ${field}: ${message}` : `${code}: ${message}`);
    Object.assign(this, { status, code, field });
  }
}

// ask sends a request to the hubs. The header alone says whether the request was
// refused; the body says why.
export async function ask(nc, verb, service, request = {}, timeout = 10_000) {
  const reply = await nc.request(subject.control(verb, service), JSON.stringify(request), { timeout });
  const status = reply.headers?.get(header.errorCode);
  if (status) throw new Refused(status, reply.json().error);
  return reply.json();
}

// register registers the service's interests. Each instance does so at each start. A
// request that is in force already changes nothing.
export async function register(nc, service, interests, queue) {
  for (;;) {
    try {
      return await ask(nc, "register", service, { interests, queue });
    } catch (err) {
      if (err instanceof Refused && err.code !== "unavailable") throw err; // the same request would be refused again
      await new Promise((resolve) => setTimeout(resolve, 500)); // no hub yet, or no answer in time
    }
  }
}
