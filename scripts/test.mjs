// npm test: every stage, or the ones named (lint, native, lib, asan, tsan, fuzz); `lib:PART` runs only the files whose path has PART.
// The last line sums over all of them.
import { sum } from './testing/command.mjs';
import { lint } from './testing/lint.mjs';
import { asan, fuzz, native, tsan } from './testing/native.mjs';
import { lib } from './testing/node-tests.mjs';

const STAGES = { lint, native, lib, asan, tsan, fuzz };
const DEFAULT_STAGES = ['lint', 'native', 'lib'];

const names = process.argv.slice(2);
const counts = [];
for (const name of names.length > 0 ? names : DEFAULT_STAGES) {
  const [stage, part] = name.split(':');
  if (STAGES[stage] === undefined) {
    process.stderr.write(`There is no stage '${stage}': ${Object.keys(STAGES).join(', ')}.\n`);
    process.exit(2);
  }
  process.stdout.write(`\n== ${name}\n`);
  const startMs = performance.now();
  const count = await STAGES[stage](part);
  counts.push(count);
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0);
  process.stdout.write(`== ${name}: ${count.passed} passed, ${count.failed} failed in ${seconds} s\n`);
}
const { passed, failed } = sum(counts);
process.stdout.write(`\n${passed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
