// mcp-remote.mjs URL drives mcp-remote, the bridge for clients that support only stdio, through the
// login that it asks for. HOME must be a directory where it may keep its tokens.
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { browse } from './login.mjs';
import { Report, until, want } from '../clients/report.mjs';

const [url] = process.argv.slice(2);
const report = new Report('mcp-remote login');
const client = new Client({ name: 'mooring-test', version: '1.0.0' });
// A browser that fails: mcp-remote then leaves the address that it prints to its user.
const env = { HOME: process.env.HOME, PATH: process.env.PATH, MCP_REMOTE_CONFIG_DIR: process.env.HOME, BROWSER: 'false' };
const transport = new StdioClientTransport({ command: 'mcp-remote', args: [url, '--transport', 'http-only', '--allow-http'], env, stderr: 'pipe' });
let printed = '';
transport.stderr.on('data', (data) => (printed += data));

await report.step('login, connect', async () => {
  const connected = client.connect(transport);
  connected.catch(() => {});
  const address = /https?:\/\/\S+\/auth\?\S+/;
  await until(() => address.test(printed), 'the address to log in at');
  const login = new URL(address.exec(printed)[0]);
  await fetch(await browse(login, login.searchParams.get('redirect_uri')));
  await connected;
});
if (report.failed) console.error(printed);
if (report.failed) report.end();
await report.step('tools/call echo', async () => {
  const result = await client.callTool({ name: 'echo', arguments: { text: 'ahoy' } });
  want(result.content?.[0]?.text === 'ahoy', 'ahoy', result);
});
await report.step('close', () => client.close());
report.end();
