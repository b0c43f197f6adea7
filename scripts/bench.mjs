// npm run bench: sets up, builds the bench and the program that measures the machine's limits, then measures.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

function run(command, args) {
  const { status } = spawnSync(command, args, { cwd: ROOT, stdio: ['inherit', 'inherit', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}

const BUILD = path.join('build', 'bench');
run(process.execPath, ['scripts/setup.mjs']);
run('cmake', [
  '-S',
  '.',
  '-B',
  BUILD,
  '-DSENSORIUM_BUILD_BENCH=ON',
  `-DCMAKE_RUNTIME_OUTPUT_DIRECTORY=${path.join(ROOT, BUILD)}`,
]);
run('cmake', ['--build', BUILD, '--target', 'bench_limits', '-j', String(availableParallelism())]);
run(process.execPath, ['node_modules/typescript/bin/tsc', '-b', 'bench']);
run(process.execPath, ['dist-bench/main.js', ...process.argv.slice(2)]);
