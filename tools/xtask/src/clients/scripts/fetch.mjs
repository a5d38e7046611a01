// A guest with nothing but `fetch`, which reads proxy and CA of the environment: `fetch.mjs BASE`.
const base = (globalThis.Deno?.args ?? process.argv.slice(2))[0];
const reply = await fetch(`${base}/v1/models`);
console.log(reply.status, await reply.text());
