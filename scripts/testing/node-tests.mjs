// The TypeScript tests, by Node's own runner.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT, run } from './command.mjs';

const SECONDS_PER_FILE = 300;

function testFiles() {
  const folder = path.join(ROOT, 'dist-test', 'test');
  return readdirSync(folder, { recursive: true })
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => path.join(folder, file))
    .sort();
}

/** Test files whose source is gone leave their output behind: only those with a source run. */
function hasSource(file) {
  const source = path.relative(path.join(ROOT, 'dist-test'), file).replace(/\.js$/, '.ts');
  return readdirSync(path.join(ROOT, path.dirname(source))).includes(path.basename(source));
}

/** `only`: a part of the path of the files to run. */
export async function lib(only = '') {
  const built = await run(process.execPath, ['scripts/build-tests.mjs']);
  if (built.status !== 0) return { passed: 0, failed: 1 };
  const files = testFiles().filter((file) => file.includes(only) && hasSource(file));
  if (files.length === 0) {
    process.stdout.write('FAIL no test files\n');
    return { passed: 0, failed: 1 };
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'sensorium-test-'));
  const report = path.join(folder, 'report.tap');
  try {
    const reporters = ['--test-reporter=spec', '--test-reporter-destination=stdout'];
    reporters.push('--test-reporter=tap', `--test-reporter-destination=${report}`);
    const limits = ['--test-concurrency=2', `--test-timeout=${SECONDS_PER_FILE * 1000}`];
    const { status } = await run(process.execPath, ['--test', ...limits, ...reporters, ...files]);
    return countTap(readFileSync(report, 'utf8'), status);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function countTap(text, status) {
  const numberOf = (name) => Number(new RegExp(`^# ${name} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  const failed = numberOf('fail') + numberOf('cancelled');
  return { passed: numberOf('pass'), failed: status !== 0 && failed === 0 ? 1 : failed };
}
