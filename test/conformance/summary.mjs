// summary.mjs LIST DIR RC EXTRA...: judges one run of the suite by the checks it wrote, not by what it printed.
// LIST is the output of `list --requirements`, DIR holds one folder per scenario with a checks.json, RC is the suite's exit code.
// A wanted scenario passes if it ran, has at least one successful check and no failed one. Exits 0 only if all wanted ones pass and RC is 0.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const [list, dir, rc, ...extra] = process.argv.slice(2);

// The list's server half: lines "  - name" up to the heading of the client half.
function requiredServerScenarios(text) {
  const head = text.indexOf('Server scenarios');
  const tail = text.indexOf('Client scenarios');
  if (head < 0) throw new Error(`${list} names no server scenarios`);
  return text
    .slice(head, tail < 0 ? undefined : tail)
    .split('\n')
    .map((line) => /^\s+- (\S+)/.exec(line)?.[1])
    .filter(Boolean);
}

// Folders are called server-<scenario>-<ISO time with dashes>.
function results() {
  const found = new Map();
  for (const name of readdirSync(dir)) {
    const scenario = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/.exec(name)?.[1];
    const file = join(dir, name, 'checks.json');
    if (scenario && existsSync(file)) found.set(scenario, JSON.parse(readFileSync(file, 'utf8')));
  }
  return found;
}

function row(scenario, checks, kind) {
  const of = (status) => (checks ?? []).filter((check) => check.status === status);
  const verdict = !checks ? 'NOT RUN' : of('FAILURE').length || !of('SUCCESS').length ? 'FAIL' : 'pass';
  console.log(
    `  ${verdict.padEnd(8)}${scenario.padEnd(50)}${String(of('SUCCESS').length).padStart(3)} ok` +
      `${String(of('FAILURE').length).padStart(4)} failed${String(of('WARNING').length).padStart(4)} warned  ${kind}`,
  );
  for (const status of ['FAILURE', 'WARNING']) {
    for (const check of of(status)) {
      console.log(`          ${status.toLowerCase()} ${check.id}: ${check.errorMessage ?? check.description}`);
      if (status === 'FAILURE' && check.details) console.log(`            ${JSON.stringify(check.details).slice(0, 600)}`);
    }
  }
  return verdict === 'pass';
}

const required = requiredServerScenarios(readFileSync(list, 'utf8'));
const found = results();
const passedRequired = required.filter((name) => row(name, found.get(name), 'required'));
const passedExtra = extra.filter((name) => row(name, found.get(name), 'extra'));
console.log(`  required ${passedRequired.length}/${required.length}, extra ${passedExtra.length}/${extra.length}, suite exit ${rc}`);

const complete = required.length > 0 && passedRequired.length === required.length && passedExtra.length === extra.length;
process.exit(complete && rc === '0' ? 0 : 1);
