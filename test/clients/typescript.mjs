// typescript.mjs URL drives the TypeScript v2 client, pinned to 2026-07-28, so that it cannot fall back
// to an earlier revision. typescript.mjs COMMAND stdio starts the server and drives it over stdio.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Report, clock, revision, until, want, wantClock, wantSum, wantText } from './report.mjs';

const [url, kind] = process.argv.slice(2);
const report = new Report(kind === 'stdio' ? 'ts2 stdio 2026-07-28' : 'ts2 2026-07-28');
const client = new Client({ name: 'mooring-test', version: '1.0.0' }, { versionNegotiation: { mode: { pin: revision } } });
let listChanged = 0;
const updated = [];
client.setNotificationHandler('notifications/tools/list_changed', () => {
  listChanged++;
});
client.setNotificationHandler('notifications/resources/updated', (notification) => {
  updated.push(notification.params.uri);
});
const toolNames = async () => (await client.listTools()).tools.map((tool) => tool.name);

await report.step('connect', async () => {
  const [command, ...args] = url.split(' ');
  await client.connect(kind === 'stdio' ? new StdioClientTransport({ command, args }) : new StreamableHTTPClientTransport(new URL(url)));
  want(client.getNegotiatedProtocolVersion() === revision, revision, client.getNegotiatedProtocolVersion());
});
if (report.failed) report.end();

await report.step('tools/list', async () => {
  const names = await toolNames();
  for (const name of ['add', 'countdown', 'echo', 'toggle']) want(names.includes(name), `tool ${name}`, names);
});
await report.step('tools/call echo', async () => wantText(await client.callTool({ name: 'echo', arguments: { text: 'ahoy, ü \u2028' } }), 'ahoy, ü \u2028'));
await report.step('tools/call add', async () => wantSum(await client.callTool({ name: 'add', arguments: { a: 2, b: 3 } }), 5));
await report.step('tools/call countdown (progress)', async () => {
  const seen = [];
  await client.callTool({ name: 'countdown', arguments: { seconds: 2 } }, { onprogress: (progress) => seen.push(progress.progress) });
  want(seen.length >= 2 && seen.every((p, i) => i === 0 || p > seen[i - 1]), 'at least two rising progress notifications', seen);
});
const first = await report.step('resources/read', async () => wantClock(await client.readResource({ uri: clock })));

const subscription = await report.step('subscriptions/listen', () => client.listen({ toolsListChanged: true, resourceSubscriptions: [clock] }));
if (subscription) {
  await report.step('list_changed after toggle', async () => {
    const before = (await toolNames()).includes('extra');
    for (const extra of [!before, before]) {
      const seen = listChanged;
      await client.callTool({ name: 'toggle', arguments: {} });
      await until(() => listChanged > seen, 'notifications/tools/list_changed');
      const names = await toolNames();
      want(names.includes('extra') === extra, `tool extra ${extra ? 'present' : 'absent'}`, names);
    }
  });
  await report.step('resources/updated of the clock', async () => {
    await until(() => updated.length >= 2, 'a second notifications/resources/updated');
    want(updated.every((uri) => uri === clock), `only ${clock}`, updated);
    const now = wantClock(await client.readResource({ uri: clock }));
    want(now !== first, `another time than ${first}`, now);
  });
  await report.step('close the subscription', () => subscription.close());
}
await report.step('close', () => client.close());
report.end();
