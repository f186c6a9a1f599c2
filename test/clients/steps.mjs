// steps.mjs is what every TypeScript client does in a session, over any transport.
import { clock, until, want, wantClock, wantSum, wantText } from './report.mjs';

const ship = { name: 'Öresund', berth: 'south' };

// run takes the report, the connected client and what it received: { listChanged, updated, asked } with
// the number of list_changed notifications, the URIs of resources/updated and the questions that elicit
// answered. call(params, options) is the client's callTool. 2025-03-26 has neither structuredContent nor
// elicitation.
export async function run(report, client, heard, call, revision = '2025-11-25') {
  const first2025 = revision === '2025-03-26';
  const toolNames = async () => (await client.listTools()).tools.map((tool) => tool.name);

  await report.step('tools/list', async () => {
    const names = await toolNames();
    for (const name of ['add', 'ask', 'countdown', 'echo', 'toggle']) want(names.includes(name), `tool ${name}`, names);
  });
  await report.step('tools/call echo', async () => wantText(await call({ name: 'echo', arguments: { text: 'ahoy, ü \u2028' } }), 'ahoy, ü \u2028'));
  await report.step('tools/call add', async () => {
    const result = await call({ name: 'add', arguments: { a: 2, b: 3 } });
    if (!first2025) return wantSum(result, 5);
    want(result.structuredContent === undefined, 'no structuredContent', result);
    wantSum({ structuredContent: JSON.parse(result.content[0].text) }, 5);
  });
  await report.step('tools/call countdown (progress)', async () => {
    const seen = [];
    await call({ name: 'countdown', arguments: { seconds: 2 } }, { onprogress: (progress) => seen.push(progress.progress) });
    want(seen.length >= 2 && seen.every((p, i) => i === 0 || p > seen[i - 1]), 'at least two rising progress notifications', seen);
  });
  await report.step('tools/call ask (elicitation)', async () => {
    const result = await call({ name: 'ask', arguments: { question: 'Who is there?' } });
    if (first2025) return wantText(result, 'The client cannot ask its user.');
    wantText(result, `${ship.name} moors at the ${ship.berth} quay.`);
    want(heard.asked.length === 1 && heard.asked[0] === 'Who is there?', 'the question, once', heard.asked);
  });
  const first = await report.step('resources/read', async () => wantClock(await client.readResource({ uri: clock })));
  await report.step('list_changed after toggle', async () => {
    const before = (await toolNames()).includes('extra');
    for (const extra of [!before, before]) {
      const seen = heard.listChanged;
      await call({ name: 'toggle', arguments: {} });
      await until(() => heard.listChanged > seen, 'notifications/tools/list_changed');
      const names = await toolNames();
      want(names.includes('extra') === extra, `tool extra ${extra ? 'present' : 'absent'}`, names);
    }
  });
  await report.step('resources/updated of the clock', async () => {
    await client.subscribeResource({ uri: clock });
    await until(() => heard.updated.length >= 2, 'a second notifications/resources/updated');
    want(heard.updated.every((uri) => uri === clock), `only ${clock}`, heard.updated);
    const now = wantClock(await client.readResource({ uri: clock }));
    want(now !== first, `another time than ${first}`, now);
    await client.unsubscribeResource({ uri: clock });
  });
}

// elicit answers a question of the server and records it.
export function elicit(heard, request) {
  heard.asked.push(request.params.message);
  return { action: 'accept', content: ship };
}
