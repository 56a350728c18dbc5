import { randomUUID } from "node:crypto";
import { ask, Refused } from "./control.mjs";
import { subject } from "./names.mjs";
import { workPartition } from "./partition.mjs";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Lease is how long this instance may use its partitions. It reads two clocks, because
// one clock stands still while a machine is suspended.
class Lease {
  #ttl = 3_000;
  #wall = 0;
  #steady = 0;
  static now = () => [Date.now(), performance.now()];

  renew([wall, steady], ttl = this.#ttl) {
    [this.#wall, this.#steady, this.#ttl] = [wall, steady, ttl];
  }

  over() {
    const [wall, steady] = Lease.now();
    return wall - this.#wall > this.#ttl || steady - this.#steady > this.#ttl;
  }
}

// milliseconds reads a duration as the hub writes it, such as "3s" or "1m30s".
function milliseconds(duration) {
  const unit = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };
  const parts = [...duration.matchAll(/([\d.]+)(ms|h|m|s)/g)];
  return parts.reduce((sum, [, number, name]) => sum + number * unit[name], 0);
}

// reachesLane tells whether the server that has the lane answers. If it does not, hubs
// may run on its side.
function reachesLane(nc, service) {
  return nc.request(subject.info(service, 0), "", { timeout: 1_000 }).then(() => true, () => false);
}

// workByKey takes its share of the partitions of a queue with "order":"key", and
// handles the copies of each in order, until signal is aborted.
export async function workByKey(nc, service, handle, signal) {
  const instance = randomUUID(); // of this start: the name is never used again
  const lease = new Lease();
  const held = new Map(); // the partitions at work, and those that are being released
  let generation = 0;
  let freed;

  const take = (p) => {
    const work = { ended: false };
    held.set(p, work);
    workPartition(nc, service, p, handle, lease, work).finally(() => {
      held.delete(p);
      freed();
    });
  };

  while (!signal.aborted || held.size > 0) {
    const gaveUp = new Promise((resolve) => (freed = resolve));
    const sent = Lease.now();
    const request = { instance, holding: [...held.keys()], leaving: signal.aborted, generation };
    try {
      const reply = await ask(nc, "join", service, request, 1_000);
      lease.renew(sent, milliseconds(reply.ttl)); // from when the request was sent
      generation = reply.generation;
      for (const [p, work] of held) work.ended ||= !reply.assigned.includes(p);
      for (const p of reply.assigned) if (!held.has(p)) take(p);
    } catch (err) {
      if (err instanceof Refused) throw err; // "detached", "not_found": register again
      // Without a hub, no other instance can get the partitions.
      const noHub = err.isNoResponders?.() && (await reachesLane(nc, service));
      if (noHub && !lease.over()) lease.renew(sent);
    }
    await Promise.race([sleep(700), gaveUp]); // a released partition is reported at once
  }
  await ask(nc, "join", service, { instance, leaving: true, generation }).catch(() => {}); // else the lease ends
}
