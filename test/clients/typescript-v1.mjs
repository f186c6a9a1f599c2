// typescript-v1.mjs URL TRANSPORT drives the TypeScript v1 SDK's client. TRANSPORT is http, sse, or
// stdio. With stdio it talks to mcp-remote, the bridge between clients that support only stdio and
// servers that use HTTP. HOME must be a directory that mcp-remote may write to.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import {
  ElicitRequestSchema,
  LATEST_PROTOCOL_VERSION,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { fileURLToPath } from 'node:url';
import { Report, want } from './report.mjs';
import { elicit, run } from './steps.mjs';

const [url, kind] = process.argv.slice(2);
const report = new Report(kind === 'stdio' ? 'mcp-remote' : `ts1 ${kind}`);
const heard = { listChanged: 0, updated: [], asked: [] };
const client = new Client({ name: 'mooring-test', version: '1.0.0' }, { capabilities: { elicitation: {} } });
client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
  heard.listChanged++;
});
client.setNotificationHandler(ResourceUpdatedNotificationSchema, (notification) => {
  heard.updated.push(notification.params.uri);
});
client.setRequestHandler(ElicitRequestSchema, (request) => elicit(heard, request));

function transportOf() {
  switch (kind) {
    case 'http':
      return new StreamableHTTPClientTransport(new URL(url));
    case 'sse':
      return new SSEClientTransport(new URL(url));
    case 'stdio': {
      const bridge = fileURLToPath(new URL('node_modules/.bin/mcp-remote', import.meta.url));
      const args = [bridge, url, '--transport', 'http-only', '--allow-http', '--silent'];
      return new StdioClientTransport({ command: process.execPath, args, env: { HOME: process.env.HOME, PATH: process.env.PATH }, stderr: 'inherit' });
    }
    default:
      throw new Error(`no transport ${kind}`);
  }
}

const transport = transportOf();
let negotiated;
await report.step('connect', async () => {
  // The client passes the negotiated revision to its transport.
  const tell = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (version) => {
    negotiated = version;
    tell?.(version);
  };
  await client.connect(transport);
  want(negotiated === LATEST_PROTOCOL_VERSION, LATEST_PROTOCOL_VERSION, negotiated);
});
if (report.failed) report.end();
await run(report, client, heard, (params, options) => client.callTool(params, undefined, options));
if (kind === 'http') {
  await report.step('terminate the session', async () => {
    want(transport.sessionId, 'a session id', transport.sessionId);
    await transport.terminateSession();
  });
}
await report.step('close', () => client.close());
report.end();
