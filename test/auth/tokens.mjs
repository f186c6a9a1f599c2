// tokens.mjs PART URL ISSUER PID sends tokens of the provider without a login, rotates the provider's
// key, and stops the provider, which is the process PID. PART is rotation, introspection or guid.
import { Report, want } from '../clients/report.mjs';

const [part, url, issuer, pid] = process.argv.slice(2);
const report = new Report(part);

async function newToken(scope = 'mcp') {
  const answer = await fetch(`${issuer}/test/tokens?${new URLSearchParams({ scope, resource: url })}`, { method: 'POST' });
  want(answer.status === 200, 'a token', answer.status);
  return (await answer.json()).access_token;
}

// call calls echo and returns { status, challenge, retry }.
async function call(token) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json', Accept: 'application/json, text/event-stream',
      'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call', 'Mcp-Name': 'echo', Authorization: `Bearer ${token}`,
    },
    body: JSON.stringify({
      jsonrpc: '2.0', id: 1, method: 'tools/call',
      params: { name: 'echo', arguments: { text: 'ahoy' }, _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} } },
    }),
  });
  const text = await answer.text();
  if (answer.status === 200) want(text.includes('ahoy'), 'ahoy', text);
  return { status: answer.status, challenge: answer.headers.get('www-authenticate'), retry: answer.headers.get('retry-after') };
}
async function wantCall(token, status, what) {
  const got = await call(token);
  want(got.status === status, `${status} with ${what}`, got);
  return got;
}

const stopProvider = async () => {
  process.kill(Number(pid), 'SIGTERM');
  while (await fetch(issuer).then(() => true, () => false));
};

const before = await report.step('a token', async () => {
  const token = await newToken();
  await wantCall(token, 200, 'a valid token');
  const refused = await wantCall(`${token.slice(0, -6)}AAAAAA`, 401, 'a damaged token');
  want(refused.challenge?.includes('error="invalid_token"'), 'invalid_token', refused);
  return token;
});
if (report.failed) report.end();

// Whatever tokens say, the server fetches keys at most once in this time (issuer.Options.MinInterval).
const fetchInterval = 10_500;
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

if (part === 'rotation') {
  await wait(fetchInterval);
  await report.step('a new key under load', async () => {
    let stop = false;
    let calls = 0;
    const load = Array.from({ length: 4 }, async () => {
      for (; !stop; calls++) await wantCall(before, 200, 'the token of before');
    });
    await fetch(`${issuer}/test/rotate`, { method: 'POST' });
    await wantCall(await newToken(), 200, 'a token of the new key');
    await new Promise((done) => setTimeout(done, 500));
    stop = true;
    await Promise.all(load);
    want(calls > 20, 'more than 20 calls', calls);
  });
}
if (part === 'rotation' || part === 'introspection') {
  let fresh;
  await report.step('provider down: kept tokens 200', async () => {
    if (part === 'rotation') {
      await fetch(`${issuer}/test/rotate`, { method: 'POST' });
      await wait(fetchInterval);
    }
    fresh = await newToken();
    await stopProvider();
    for (let i = 0; i < 20; i++) await wantCall(before, 200, 'a token that has been verified');
  });
  await report.step('provider down: new tokens 503', async () => {
    const refused = await wantCall(fresh, 503, 'a token that nobody can verify now');
    want(Number(refused.retry) > 0, 'Retry-After', refused);
    want(!refused.challenge, 'no challenge', refused);
  });
}
report.end();
