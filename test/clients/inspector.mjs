// inspector.mjs DIR ERA drives the MCP Inspector's command line. Its configuration is DIR/mcp.json, as
// `mooring print-config inspector` prints it, with another era if ERA is legacy. Neither era falls back
// to the other. Each call is a process of its own: server/discover or initialize, a stream, the method,
// and a close. It cannot wait for a notification. DIR is also used as the home directory, so that no
// files of the user are read or written.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Report, clock, want, wantClock, wantSum, wantText } from './report.mjs';

const [dir, era] = process.argv.slice(2);
const report = new Report(`inspector ${era}`);
const command = fileURLToPath(new URL('node_modules/.bin/mcp-inspector', import.meta.url));
const config = join(dir, 'mcp.json');

async function inspect(method, ...options) {
  const args = [command, '--cli', '--config', config, '--server', 'mooring', '--format', 'json', '--quiet', '--method', method, ...options];
  try {
    const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, HOME: dir }, timeout: 15_000 });
    return JSON.parse(stdout).result;
  } catch (error) {
    throw new Error(`${method}: ${error.stderr || error.message}`);
  }
}

// Only a 2026-07-28 result names the server in _meta.
function wantEra(result) {
  want(Boolean(result._meta?.['io.modelcontextprotocol/serverInfo']?.name) === (era === 'modern'), `a result of the ${era} era`, result);
}

await report.step('the printed configuration', async () => {
  const { mcpServers } = JSON.parse(readFileSync(config, 'utf8'));
  want(mcpServers.mooring.protocolEra === era, `protocolEra "${era}"`, mcpServers);
});
await report.step('tools/list', async () => {
  const names = (await inspect('tools/list')).tools.map((tool) => tool.name);
  for (const name of ['add', 'countdown', 'echo', 'toggle']) want(names.includes(name), `tool ${name}`, names);
});
await report.step('tools/call echo', async () => {
  const result = await inspect('tools/call', '--tool-name', 'echo', '--tool-args-json', '{"text":"ahoy"}');
  wantText(result, 'ahoy');
  wantEra(result);
});
await report.step('tools/call add', async () => wantSum(await inspect('tools/call', '--tool-name', 'add', '--tool-args-json', '{"a":2,"b":3}'), 5));
await report.step('resources/list', async () => {
  const uris = (await inspect('resources/list')).resources.map((resource) => resource.uri);
  want(uris.includes(clock), clock, uris);
});
await report.step('resources/read', async () => {
  const result = await inspect('resources/read', '--uri', clock);
  wantClock(result);
  wantEra(result);
});
await report.step('prompts/list', async () => want((await inspect('prompts/list')).prompts.length > 0, 'a prompt', []));
report.end();
