// A handler throws Park for an event that can never be handled.
export class Park extends Error {}

// settle calls the handler for one copy, and tells the server the outcome.
export async function settle(handle, event, delivery) {
  const alive = setInterval(() => delivery.working(), 5_000); // well within ack_wait
  try {
    await handle(event);
  } catch (err) {
    if (err instanceof Park) return await delivery.park(err.message); // a dead letter, reason "parked"
    console.error(`${event.entity} ${event.key}: ${err.message}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return await delivery.again(); // the server sends it again, max_deliver times in all
  } finally {
    clearInterval(alive);
  }
  await delivery.done();
}
