// What the node clients share: one line per client and step, a time limit for each step, and the exit
// code.
import { setTimeout as sleep } from 'node:timers/promises';

export const clock = 'mooring://clock';
export const revision = '2026-07-28';
const stepLimit = 20_000;

export class Report {
  constructor(client) {
    this.client = client;
    this.failed = 0;
  }

  // step runs f within the time limit and prints the outcome. It returns f's value, or undefined if f failed.
  async step(name, f) {
    const begin = performance.now();
    const bound = new AbortController();
    try {
      const late = sleep(stepLimit, null, { signal: bound.signal }).then(() => {
        throw new Error(`no answer within ${stepLimit / 1000} s`);
      });
      late.catch(() => {});
      const value = await Promise.race([f(), late]);
      this.print('ok', name, `${Math.round(performance.now() - begin)} ms`);
      return value;
    } catch (error) {
      this.failed++;
      this.print('FAIL', name, error?.stack ?? String(error));
      return undefined;
    } finally {
      bound.abort();
    }
  }

  print(verdict, name, detail) {
    console.log(`${verdict.padEnd(5)}${this.client.padEnd(24)}${name.padEnd(34)}${detail}`);
  }

  // end exits the process, whatever is still open.
  end() {
    process.exit(this.failed === 0 ? 0 : 1);
  }
}

// want throws unless ok is true; got is what there was instead.
export function want(ok, what, got) {
  if (!ok) throw new Error(`want ${what}, got ${JSON.stringify(got)}`);
}

// until waits for ok() and throws after limit milliseconds.
export async function until(ok, what, limit = 10_000) {
  const end = performance.now() + limit;
  while (!ok()) {
    if (performance.now() > end) throw new Error(`${what} did not arrive within ${limit / 1000} s`);
    await sleep(10);
  }
}

export function wantText(result, text) {
  want(!result.isError, 'no error', result);
  want(result.content?.[0]?.type === 'text' && result.content[0].text === text, `the text "${text}"`, result);
}

export function wantSum(result, sum) {
  want(!result.isError, 'no error', result);
  want(result.structuredContent?.sum === sum, `the sum ${sum} in structuredContent`, result);
}

// wantClock checks a read of the clock and returns its text.
export function wantClock(result) {
  const contents = result.contents ?? [];
  want(contents.length === 1 && contents[0].uri === clock && contents[0].text, `one text of ${clock}`, result);
  return contents[0].text;
}
