// A real OpenID provider: `node server.mjs MODULES CONFIG`. It answers each line of standard input with a line:
//
//   token          an access token, as a client gets it from the token endpoint
//   keys           what the provider publishes at its `jwks_uri`
//   publish NAME   adds a key, which is published and signs nothing yet
//   sign NAME      the key of this name signs from now on
//   withdraw NAME  removes a key
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, createServer, request } from 'node:https';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [modules, config] = process.argv.slice(2);
// The package warns of a provider that is for tests alone.
console.info = console.error;
console.warn = console.error;
const { Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));
const { key, certificate, ca, audience, claims } = JSON.parse(readFileSync(config));

let serve;
const server = createServer({ key, cert: certificate }, (asked, reply) => serve(asked, reply));
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const { port } = server.address();
const agent = new Agent({ ca });
// The first one signs.
let keys = [];

function generate(name) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), kid: name, alg: 'ES256', use: 'sig' };
}

/** The keys of a provider are fixed, so each change makes one. */
function provide() {
  const resource = { scope: 'use', audience, accessTokenFormat: 'jwt', accessTokenTTL: 600 };
  const provider = new Provider(`https://localhost:${port}`, {
    clients: [{
      client_id: 'job',
      client_secret: 'a-secret-of-the-test',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      id_token_signed_response_alg: 'ES256',
    }],
    extraTokenClaims: () => claims,
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://edge.example',
        getResourceServerInfo: () => ({ ...resource, jwt: { sign: { alg: 'ES256' } } }),
      },
    },
    jwks: { keys },
    scopes: ['use'],
  });
  provider.on('server_error', (_, error) => console.error(error));
  serve = provider.callback();
}

function call(method, path, body) {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const options = { agent, method, headers, auth: 'job:a-secret-of-the-test' };
  return new Promise((resolve, reject) => {
    const asking = request(`https://localhost:${port}${path}`, options, (reply) => {
      let text = '';
      reply.on('data', (piece) => { text += piece; });
      reply.on('end', () => (reply.statusCode === 200 ? resolve(text) : reject(new Error(text))));
    });
    asking.on('error', reject);
    asking.end(body);
  });
}

const commands = {
  token: async () => JSON.parse(await call('POST', '/token', 'grant_type=client_credentials')).access_token,
  keys: async () => JSON.stringify(JSON.parse(await call('GET', '/jwks'))),
  publish: (name) => { keys = [...keys, generate(name)]; },
  sign: (name) => { keys.sort((one, other) => (other.kid === name) - (one.kid === name)); },
  withdraw: (name) => { keys = keys.filter((one) => one.kid !== name); },
};

console.log(port);
for await (const line of createInterface({ input: process.stdin })) {
  const [command, name] = line.split(' ');
  const answer = await commands[command](name);
  if (answer === undefined) provide();
  console.log(answer ?? 'done');
}
