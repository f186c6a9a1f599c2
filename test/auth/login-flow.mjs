// login-flow.mjs URL ISSUER ERA drives the TypeScript v2 client against a server that demands a token,
// as a user does who connects for the first time: 401, metadata, registration, login with PKCE, token,
// call, 403, a second login for one scope more, call. ERA is modern or legacy.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client';
import { browse } from './login.mjs';
import { Report, want } from '../clients/report.mjs';

const [url, issuer, era] = process.argv.slice(2);
const report = new Report(`ts2 login ${era}`);
const redirectUrl = 'http://127.0.0.1:1/callback';
const seen = []; // each exchange: { what, status, challenge, body }

// A store keeps what a client remembers between its runs.
const store = { tokens: undefined, client: undefined, verifier: undefined, discovery: undefined, target: undefined };
const provider = {
  redirectUrl,
  clientMetadata: { client_name: 'mooring-test', redirect_uris: [redirectUrl], grant_types: ['authorization_code'], response_types: ['code'], token_endpoint_auth_method: 'none' },
  clientInformation: () => store.client,
  saveClientInformation: (client) => void (store.client = client),
  tokens: () => store.tokens,
  saveTokens: (tokens) => void (store.tokens = tokens),
  codeVerifier: () => store.verifier,
  saveCodeVerifier: (verifier) => void (store.verifier = verifier),
  discoveryState: () => store.discovery,
  saveDiscoveryState: (state) => void (store.discovery = state),
  redirectToAuthorization: (target) => void (store.target = target),
};

async function recorded(input, init) {
  const answer = await fetch(input, init);
  const { origin, pathname } = new URL(input.url ?? input);
  const where = origin === issuer ? `issuer${pathname}` : pathname;
  seen.push({ what: `${init?.method ?? 'GET'} ${where}`, status: answer.status, challenge: answer.headers.get('www-authenticate'), body: String(init?.body ?? '') });
  return answer;
}

const newTransport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: provider, fetch: recorded });
const versionNegotiation = era === 'legacy' ? { mode: 'legacy' } : { mode: { pin: '2026-07-28' } };
const newClient = () => new Client({ name: 'mooring-test', version: '1.0.0' }, { versionNegotiation });
let client = newClient();
let transport = newTransport();

// unauthorized runs f, which must fail for lack of a token, and returns the exchanges since.
async function unauthorized(f) {
  seen.length = 0;
  const error = await f().then(() => undefined, (error) => error);
  want(error instanceof UnauthorizedError, 'UnauthorizedError', String(error?.stack ?? error));
  return seen.slice();
}

const step = (exchanges, what) => exchanges.find((e) => e.what === what) ?? {};
const order = (exchanges, ...whats) => {
  let at = -1;
  for (const what of whats) {
    const next = exchanges.findIndex((e, i) => i > at && e.what === what);
    want(next > at, `${whats.join(', ')} in this order`, exchanges.map((e) => `${e.what} ${e.status}`));
    at = next;
  }
};
const log = async () => {
  const back = await browse(store.target, redirectUrl);
  want(back.searchParams.get('code') && back.searchParams.get('iss') === issuer, 'a code of the issuer', back.href);
  await transport.finishAuth(back.searchParams);
};
const claims = () => JSON.parse(Buffer.from(store.tokens.access_token.split('.')[1], 'base64url'));

await report.step('401, metadata, registration', async () => {
  const exchanges = await unauthorized(() => client.connect(transport));
  const path = new URL(url).pathname;
  const metadata = `/.well-known/oauth-protected-resource${path}`;
  order(exchanges, `POST ${path}`, `GET ${metadata}`, 'GET issuer/.well-known/oauth-authorization-server', 'POST issuer/reg');
  const first = step(exchanges, `POST ${path}`);
  want(first.status === 401, '401', first);
  want(first.challenge === `Bearer resource_metadata="${new URL(metadata, url)}", scope="mcp"`, 'a challenge with metadata and scope, without an error', first.challenge);
  want(store.discovery.resourceMetadata.resource === url, url, store.discovery.resourceMetadata);
  const asked = store.target.searchParams;
  want(asked.get('resource') === url && asked.get('code_challenge_method') === 'S256' && asked.get('scope') === 'mcp', 'the resource, PKCE and the scope', store.target.href);
});
await report.step('login, token, connect', async () => {
  await log();
  const { aud, iss, scope } = claims();
  want(aud === url && iss === issuer && scope === 'mcp', 'a token for this server', claims());
  client = newClient();
  transport = newTransport();
  await client.connect(transport);
});
if (report.failed) report.end();

await report.step('tools/list, tools/call echo', async () => {
  const names = (await client.listTools()).tools.map((tool) => tool.name);
  want(names.includes('echo') && names.includes('add'), 'echo and add', names);
  const result = await client.callTool({ name: 'echo', arguments: { text: 'ahoy' } });
  want(result.content?.[0]?.text === 'ahoy', 'ahoy', result);
});
const sum = () => client.callTool({ name: 'add', arguments: { a: 2, b: 3 } });
await report.step('tools/call add: 403, step-up', async () => {
  const path = new URL(url).pathname;
  const exchanges = await unauthorized(sum);
  const refused = exchanges.find((e) => e.status === 403) ?? {};
  want(refused.what === `POST ${path}`, 'a POST with 403', exchanges);
  want(/^Bearer error="insufficient_scope"/.test(refused.challenge) && refused.challenge.includes('resource_metadata="'), 'insufficient_scope with metadata', refused.challenge);
  const scopes = /scope="([^"]*)"/.exec(refused.challenge.replace('insufficient_scope"', ''))?.[1].split(' ').sort();
  want(String(scopes) === 'mcp,mcp:add', 'the scopes of this operation', refused.challenge);
  want(store.target.searchParams.get('scope').split(' ').sort().join() === 'mcp,mcp:add', 'both scopes', store.target.href);
  await log();
  want(claims().scope.split(' ').sort().join() === 'mcp,mcp:add', 'both scopes in the token', claims());
});
await report.step('tools/call add', async () => {
  const result = await sum();
  want(result.structuredContent?.sum === 5, 'the sum 5', result);
});
await report.step('close', () => client.close());
report.end();
