// A guest with Node's own `fetch` who is denied: what it shows its user.
//
// Arguments and output as those of denied.py.

const [unlisted, upload, times] = process.argv.slice(2);
const large = Buffer.alloc(20 * 1024 * 1024, 'x');
const told = [];

async function shownBy(client, url, options) {
  for (let time = 0; time < Number(times); time += 1) {
    const begun = performance.now();
    let shown = '';
    try {
      const reply = await fetch(url, { ...options, signal: AbortSignal.timeout(20_000) });
      shown = `${reply.status} ${await reply.text()}`;
    } catch (error) {
      for (let cause = error; cause; cause = cause.cause) shown += `${cause} `;
    }
    told.push({ client, seconds: (performance.now() - begun) / 1000, shown });
  }
}

await shownBy('node fetch', `${unlisted}/`);
await shownBy('node fetch uploads', upload, { method: 'POST', body: large });
console.log(JSON.stringify(told));
