// provider.mjs is an authorization server for tests: npm's oidc-provider on a port of 127.0.0.1, with
// dynamic registration, a user who is always logged in and agrees to everything, and access tokens in
// the form of RFC 9068 for the resources that it is given.
//
//   node provider.mjs --port 0 --resource http://127.0.0.1:8080/mcp [--resource ...]
//     [--audience GUID]   the aud of the tokens, instead of the resource
//     [--opaque]          tokens without a form, to be introspected
//     [--ttl 3600]        the lifetime of an access token in seconds
//     [--life 600]        the lifetime of this process in seconds
//
// It prints its issuer on the first line. POST /test/rotate replaces the signing key by a new one, and
// POST /test/tokens returns a token that no login is needed for, with the parameters of the query
// (scope, resource).
import { createServer } from 'node:http';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { Provider } from 'oidc-provider';

const scopes = ['mcp', 'mcp:add', 'mcp:toggle'];
const { values: flags } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    resource: { type: 'string', multiple: true, default: [] },
    audience: { type: 'string' },
    opaque: { type: 'boolean', default: false },
    ttl: { type: 'string', default: '3600' },
    life: { type: 'string', default: '600' },
  },
});

// The client that POST /test/tokens uses, and that a resource server introspects tokens with.
const machine = { client_id: 'machine', client_secret: 'machine-secret', token_endpoint_auth_method: 'client_secret_basic', grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: scopes.join(' ') };
const cookieKey = randomBytes(16).toString('hex');

function signingKey() {
  const jwk = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' });
  return { ...jwk, kid: randomBytes(8).toString('hex'), alg: 'RS256', use: 'sig' };
}

// newProvider returns a provider with one signing key. All providers of the process have the same
// clients, grants and tokens: those of the adapter in memory.
function newProvider(issuer) {
  const provider = new Provider(issuer, {
    clients: [machine],
    scopes: ['openid', 'offline_access', ...scopes],
    clientDefaults: { grant_types: ['authorization_code'], response_types: ['code'], token_endpoint_auth_method: 'none' },
    cookies: { keys: [cookieKey] },
    jwks: { keys: [signingKey()] },
    pkce: { required: () => true },
    ttl: { AccessToken: Number(flags.ttl), ClientCredentials: Number(flags.ttl), Session: 600, Grant: 600, Interaction: 60 },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      registration: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => flags.resource[0],
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => {
          if (!flags.resource.includes(resource)) throw new Error(`unknown resource ${resource}`);
          return {
            audience: flags.audience ?? resource,
            scope: scopes.join(' '),
            accessTokenFormat: flags.opaque ? 'opaque' : 'jwt',
            jwt: flags.opaque ? undefined : { sign: { alg: 'RS256' } },
          };
        },
      },
    },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    // The user agrees to what the client asks for, and to nothing else.
    loadExistingGrant: async (ctx) => {
      const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
      const asked = ctx.oidc.params.scope ?? '';
      grant.addOIDCScope(asked);
      for (const resource of flags.resource) grant.addResourceScope(resource, asked);
      await grant.save();
      return grant;
    },
  });
  provider.on('server_error', (_ctx, error) => console.error(error));
  return provider;
}

let provider, serve;
const renew = (issuer) => {
  provider = newProvider(issuer);
  serve = provider.callback();
};

const server = createServer(async (req, res) => {
  try {
    const url = new URL(req.url, issuer);
    if (url.pathname.startsWith('/interaction/')) {
      return await provider.interactionFinished(req, res, { login: { accountId: 'ann' }, consent: {} }, { mergeWithLastSubmission: false });
    }
    if (req.method === 'POST' && url.pathname === '/test/rotate') {
      renew(issuer);
      return res.writeHead(204).end();
    }
    if (req.method === 'POST' && url.pathname === '/test/tokens') {
      const body = new URLSearchParams({ grant_type: 'client_credentials' });
      for (const [name, value] of url.searchParams) body.set(name, value);
      const Authorization = `Basic ${btoa(`${machine.client_id}:${machine.client_secret}`)}`;
      const answer = await fetch(`${issuer}/token`, { method: 'POST', headers: { Authorization }, body });
      const text = await answer.text();
      return res.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(text);
    }
    if (req.method === 'POST' && url.pathname === '/reg') {
      // Clients register with the scopes that they need first, which here are not a limit.
      req.body = JSON.parse((await req.toArray()).join(''));
      delete req.body.scope;
    }
    serve(req, res);
  } catch (error) {
    console.error(error);
    res.writeHead(500).end();
  }
});

server.listen(Number(flags.port), '127.0.0.1');
await new Promise((listening) => server.once('listening', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;
renew(issuer);
console.log(issuer);
setTimeout(() => process.exit(0), 1000 * Number(flags.life));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
