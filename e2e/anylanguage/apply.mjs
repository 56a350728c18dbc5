import { Park } from "./settle.mjs";

export const tables = `
  CREATE TABLE users (id text PRIMARY KEY, name text);
  CREATE TABLE positions (
    entity text, key text, epoch bigint, seq bigint,
    PRIMARY KEY (entity, key)
  );`;

// apply makes one change of a user in PostgreSQL, unless a newer one was made
// before. It returns whether it made the change. Position and change are one transaction.
// The position of a deleted user stays: an older event must not bring the user back.
export async function apply(sql, event) {
  if (event.key === undefined) throw new Park("a user without a key");
  return sql.begin(async (tx) => {
    const moved = await tx`
      INSERT INTO positions AS p (entity, key, epoch, seq)
      VALUES (${event.entity}, ${event.key}, ${event.epoch}, ${event.seq})
      ON CONFLICT (entity, key) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq
      WHERE (p.epoch, p.seq) < (excluded.epoch, excluded.seq)
         OR (p.epoch, p.seq) = (excluded.epoch, excluded.seq) AND ${event.row !== undefined}
      RETURNING key`;
    if (moved.length === 0) return false; // handled before, or older than the row
    if (event.op === "delete") {
      await tx`DELETE FROM users WHERE id = ${event.key}`;
    } else {
      await tx`
        INSERT INTO users (id, name) VALUES (${event.key}, ${event.data.name})
        ON CONFLICT (id) DO UPDATE SET name = excluded.name`;
    }
    return true;
  });
}
