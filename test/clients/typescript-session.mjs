// typescript-session.mjs URL TRANSPORT REVISION drives the TypeScript v2 client with its defaults: it
// begins with initialize. TRANSPORT is http, sse, or stdio; for stdio URL is the command that starts
// the server, with its arguments.
import { Client, SSEClientTransport, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Report, want } from './report.mjs';
import { elicit, run } from './steps.mjs';

const [url, kind, revision] = process.argv.slice(2);
const report = new Report(`ts2 ${kind} ${revision}`);
const heard = { listChanged: 0, updated: [], asked: [] };
const client = new Client(
  { name: 'mooring-test', version: '1.0.0' },
  { capabilities: { elicitation: {} }, supportedProtocolVersions: [revision] },
);
client.setNotificationHandler('notifications/tools/list_changed', () => {
  heard.listChanged++;
});
client.setNotificationHandler('notifications/resources/updated', (notification) => {
  heard.updated.push(notification.params.uri);
});
client.setRequestHandler('elicitation/create', (request) => elicit(heard, request));

function transportOf() {
  const [command, ...args] = url.split(' ');
  if (kind === 'stdio') return new StdioClientTransport({ command, args });
  return kind === 'sse' ? new SSEClientTransport(new URL(url)) : new StreamableHTTPClientTransport(new URL(url));
}
const transport = transportOf();
await report.step('connect', async () => {
  await client.connect(transport);
  want(client.getNegotiatedProtocolVersion() === revision, revision, client.getNegotiatedProtocolVersion());
});
if (report.failed) report.end();
await run(report, client, heard, (params, options) => client.callTool(params, options), revision);
if (kind === 'http') {
  await report.step('terminate the session', async () => {
    want(transport.sessionId, 'a session id', transport.sessionId);
    await transport.terminateSession();
  });
}
await report.step('close', () => client.close());
report.end();
