import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";

const key = Buffer.from(process.env.SECRET.replace(/^whsec_/, ""), "base64");
const last = new Map(); // by entity and key: the position applied last; keep it with the row

createServer(async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const body = Buffer.concat(chunks), h = (name) => req.headers[name] ?? "";
  const id = h("webhook-id"), at = h("webhook-timestamp"), row = `${h("ce-entity")}/${h("ce-key")}`;
  const mac = createHmac("sha256", key).update(`${id}.${at}.`).update(body).digest();
  const same = (s) => { const b = Buffer.from(s.replace(/^v1,/, ""), "base64"); return b.length === 32 && timingSafeEqual(b, mac); };
  if (Math.abs(Date.now() / 1000 - at) > 300 || !h("webhook-signature").split(" ").some(same)) return res.writeHead(401).end();
  const position = [BigInt(h("ce-epoch")), BigInt(h("ce-sequence"))], before = last.get(row) ?? [0n, 0n];
  const older = position[0] < before[0] || (position[0] === before[0] && position[1] < before[1]);
  const repeat = position[0] === before[0] && position[1] === before[1] && !h("ce-row"); // a row may be newer than an event at its position
  if (!older && !repeat) {
    console.log(h("ce-type"), row, body.toString()); // apply it here, in one transaction with the position
    last.set(row, position);
  }
  res.writeHead(204).end(); // a repeat is done already
}).listen(Number(process.env.PORT ?? 8080), "127.0.0.1", function () { console.log("port", this.address().port); });
