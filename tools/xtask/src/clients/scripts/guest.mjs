// A guest with one library: `guest.mjs LIBRARY BASE`. It prints what the library returns, or its error.
//
// The environment alone names the proxy and the CA, but where a function says so.

const [library, base] = process.argv.slice(2);
const proxy = process.env.HTTPS_PROXY;
const messages = [{ role: 'user', content: 'hello' }];

const libraries = {
  async fetch() {
    const reply = await fetch(`${base}/v1/models`);
    return `${reply.status} ${await reply.text()}`;
  },
  async fetch_sending() {
    const reply = await fetch(`${base}/upload`, { method: 'POST', body: Buffer.alloc(20 << 20) });
    return `${reply.status} ${await reply.text()}`;
  },
  // Node below 24 reads no proxy of the environment: undici's agent does.
  async undici() {
    const { EnvHttpProxyAgent, fetch: get, setGlobalDispatcher } = await import('undici');
    setGlobalDispatcher(new EnvHttpProxyAgent());
    const reply = await get(`${base}/v1/models`);
    return `${reply.status} ${await reply.text()}`;
  },
  // axios has a proxy of its own, which opens no tunnel in older releases: an agent does.
  async axios() {
    const axios = (await import('axios')).default;
    const { HttpsProxyAgent } = await import('https-proxy-agent');
    const httpsAgent = new HttpsProxyAgent(proxy);
    const options = { proxy: false, httpsAgent, validateStatus: () => true };
    const reply = await axios.get(`${base}/v1/models`, options);
    return `${reply.status} ${JSON.stringify(reply.data)}`;
  },
  async axios_alone() {
    const axios = (await import('axios')).default;
    const reply = await axios.get(`${base}/v1/models`, { validateStatus: () => true });
    return `${reply.status} ${JSON.stringify(reply.data)}`;
  },
  async got() {
    const got = (await import('got')).default;
    const { HttpsProxyAgent } = await import('https-proxy-agent');
    const agent = { https: new HttpsProxyAgent(proxy) };
    const reply = await got(`${base}/v1/models`, { agent, throwHttpErrors: false, retry: { limit: 0 } });
    return `${reply.statusCode} ${reply.body}`;
  },
  async node_fetch() {
    const get = (await import('node-fetch')).default;
    const { HttpsProxyAgent } = await import('https-proxy-agent');
    const reply = await get(`${base}/v1/models`, { agent: new HttpsProxyAgent(proxy) });
    return `${reply.status} ${await reply.text()}`;
  },
  async openai() {
    const OpenAI = (await import('openai')).default;
    const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'placeholder' });
    const reply = await client.chat.completions.create({ model: 'm', messages });
    return reply.choices[0].message.content;
  },
  async anthropic() {
    const Anthropic = (await import('@anthropic-ai/sdk')).default;
    const client = new Anthropic({ baseURL: base, apiKey: 'placeholder' });
    const reply = await client.messages.create({ model: 'm', max_tokens: 9, messages });
    return reply.content[0].text;
  },
  async octokit() {
    const { Octokit } = await import('@octokit/rest');
    const octokit = new Octokit({ baseUrl: base, auth: 'placeholder' });
    const reply = await octokit.repos.get({ owner: 'acme', repo: 'site' });
    return reply.data.full_name;
  },
  async ai() {
    const { generateText } = await import('ai');
    const { createOpenAI } = await import('@ai-sdk/openai');
    const openai = createOpenAI({ baseURL: `${base}/v1`, apiKey: 'placeholder' });
    return (await generateText({ model: openai.chat('m'), prompt: 'hello', maxRetries: 0 })).text;
  },
  // ws reads no proxy of the environment: an agent does.
  async ws() {
    const { default: WebSocket } = await import('ws');
    const { HttpsProxyAgent } = await import('https-proxy-agent');
    const socket = new WebSocket(`${base.replace('https:', 'wss:')}/ws`, { agent: new HttpsProxyAgent(proxy) });
    return new Promise((resolve, reject) => {
      socket.on('open', () => socket.send('hello'));
      socket.on('message', (message) => {
        resolve(String(message));
        socket.close();
      });
      socket.on('error', reject);
    });
  },
};

try {
  console.log(await libraries[library]());
} catch (error) {
  for (let cause = error; cause; cause = cause.cause) console.error(String(cause));
  process.exitCode = 1;
}
