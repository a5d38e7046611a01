// A real OpenID provider for custody's tests: `node server.mjs MODULES CONFIG`. It prints one line of
// JSON when it listens: its port, and a refresh token of each client that asks for one.
import { createServer } from 'node:https';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const [modules, config] = process.argv.slice(2);
const { Provider } = await import(pathToFileURL(`${modules}/oidc-provider/lib/index.js`));
const { key, certificate, clients } = JSON.parse(readFileSync(config));

const server = createServer({ key, cert: certificate });
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const { port } = server.address();
const provider = new Provider(`https://localhost:${port}`, {
  clients,
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    revocation: { enabled: true },
  },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  rotateRefreshToken: true,
  scopes: ['openid', 'offline_access', 'read', 'write'],
});
provider.on('server_error', (_, error) => console.error(error));
server.on('request', provider.callback());

/** What a person's consent would have given. */
async function refreshToken(client) {
  const [clientId, accountId] = [client.clientId, 'ada'];
  const grant = new provider.Grant({ accountId, clientId });
  grant.addOIDCScope('openid offline_access');
  const token = new provider.RefreshToken({
    accountId,
    client,
    grantId: await grant.save(),
    gty: 'authorization_code',
    scope: 'openid offline_access',
  });
  return token.save();
}

const refresh = {};
for (const { client_id: id, grant_types: grants } of clients) {
  if (grants.includes('refresh_token')) {
    refresh[id] = await refreshToken(await provider.Client.find(id));
  }
}
console.log(JSON.stringify({ port, refresh }));
