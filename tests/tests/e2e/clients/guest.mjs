// A guest with Node's own `fetch` who knows of no proxy: all it has stands in its environment.
//
// Prints what it got, and its environment. Arguments: a base URL, a URL it may not call.

const [allowed, unlisted] = process.argv.slice(2);
const replies = [];

async function keep(url, options) {
  const signal = AbortSignal.timeout(20_000);
  const reply = await fetch(url, { ...options, signal });
  const headers = Object.fromEntries(reply.headers);
  replies.push({ status: reply.status, headers, body: await reply.text() });
}

await keep(`${allowed}/v1/models`);
const body = JSON.stringify({ hello: 'world'.repeat(1000) });
const headers = { 'content-type': 'application/json' };
await keep(`${allowed}/v1/messages`, { method: 'POST', headers, body });
await keep(`${allowed}/v1/models`, { headers: { authorization: 'Bearer guests-own' } });
await keep(`${allowed}/v1/models`, { method: 'DELETE' });
let refused = '';
try {
  await keep(unlisted);
} catch (error) {
  for (let cause = error; cause; cause = cause.cause) refused += `${cause} `;
}

console.log(JSON.stringify({ replies, refused, environment: process.env }));
