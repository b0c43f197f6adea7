// The native tests: built by CMake without Node, run by ctest; also under sanitizers.
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { ROOT, check, run, skip } from './command.mjs';

const SECONDS_PER_PROGRAM = 600;

/** Cases of all programs, from ctest's log; a program that ended without its count is one failure. */
function countCases(buildFolder, ctestOutput) {
  const log = readFileSync(path.join(buildFolder, 'Testing', 'Temporary', 'LastTest.log'), 'utf8');
  const counts = [...log.matchAll(/^(\d+) passed, (\d+) failed$/gm)];
  const passed = counts.reduce((total, [, count]) => total + Number(count), 0);
  const failed = counts.reduce((total, [, , count]) => total + Number(count), 0);
  const numFailedPrograms = Number(/(\d+) tests? failed out of/.exec(ctestOutput)?.[1] ?? 0);
  const numCountedFailures = counts.filter(([, , count]) => count !== '0').length;
  return { passed, failed: failed + Math.max(0, numFailedPrograms - numCountedFailures) };
}

/** Names of the test programs that match a pattern. */
function programs(pattern) {
  const names = readdirSync(path.join(ROOT, 'test', 'native')).map((file) => path.parse(file));
  return names.filter(({ name, ext }) => ext === '.cpp' && pattern.test(name)).map(({ name }) => name);
}

/** Configures, builds and runs one tree. `only`: the programs to build and run; default: everything. */
async function buildAndRun(name, { folder = name, definitions = [], only, env = {} } = {}) {
  const buildFolder = path.join(ROOT, 'build', folder);
  const jobs = String(availableParallelism());
  const steps = [
    ['-S', ROOT, '-B', buildFolder, '-DSENSORIUM_BUILD_TESTS=ON', ...definitions],
    ['--build', buildFolder, '-j', jobs, ...(only === undefined ? [] : ['--target', ...only])],
  ];
  for (const args of steps) {
    const { status, output } = await run('cmake', args, { isQuiet: true });
    if (status === 0) continue;
    process.stdout.write(`FAIL ${name}: cmake ${args.join(' ')}\n${output}\n`);
    return { passed: 0, failed: 1 };
  }
  const args = [
    '--test-dir',
    buildFolder,
    '--output-on-failure',
    '--no-tests=error',
    '--timeout',
    String(SECONDS_PER_PROGRAM),
  ];
  if (only !== undefined) args.push('-R', `^(${only.join('|')})$`);
  const { status, output } = await run('ctest', args, { env });
  const counts = countCases(buildFolder, output);
  return status !== 0 && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
}

// In the addon's own tree, whose objects are the same.
export const native = () => buildAndRun('native', { folder: 'addon' });

// Little optimisation: instrumented code compiles several times faster, and runs fast enough.
const SANITIZER_BUILD = ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1'];

export const asan = () =>
  buildAndRun('asan', {
    definitions: [...SANITIZER_BUILD, '-DSENSORIUM_SANITIZER=address,undefined'],
    // The tests of the backend run every table; whole families on all of them would take longer than all else.
    env: { UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1', SENSORIUM_BEST_TABLE_ONLY: '1' },
  });

/** Only the programs that share state between threads. */
export const tsan = () =>
  buildAndRun('tsan', {
    definitions: [...SANITIZER_BUILD, '-DSENSORIUM_SANITIZER=thread'],
    only: programs(/^test_(thread_pool|engine_(ends|media|random|text)|backend_gemm)$/),
    env: { TSAN_OPTIONS: 'halt_on_error=1' },
  });

const FUZZ_SECONDS = 30;

/** The parsers of untrusted bytes, from the hostile goldens on, for a bounded time. */
export async function fuzz() {
  const folder = path.join(ROOT, 'build', 'fuzz');
  if (!(await hasFuzzer(folder))) return skip('fuzz', 'no clang with libFuzzer');
  const configure = ['-S', ROOT, '-B', folder, '-DCMAKE_CXX_COMPILER=clang++', '-DSENSORIUM_BUILD_FUZZ=ON'];
  const build = ['--build', folder, '--target', 'fuzz_safetensors', '-j', String(availableParallelism())];
  for (const args of [configure, build]) {
    const { status, output } = await run('cmake', args, { isQuiet: true });
    if (status === 0) continue;
    process.stdout.write(`FAIL fuzz: cmake ${args.join(' ')}\n${output}\n`);
    return { passed: 0, failed: 1 };
  }
  const corpus = path.join(folder, 'corpus');
  cpSync(path.join(ROOT, 'test/goldens/components/safetensors_hostile/files'), corpus, { recursive: true });
  const limits = [`-max_total_time=${FUZZ_SECONDS}`, '-max_len=65536', '-rss_limit_mb=2048'];
  return check('fuzz_safetensors', path.join(folder, 'test/fuzz/fuzz_safetensors'), [...limits, corpus]);
}

async function hasFuzzer(folder) {
  mkdirSync(folder, { recursive: true });
  const probe = path.join(folder, 'probe.cpp');
  writeFileSync(
    probe,
    '#include <cstddef>\nextern "C" int LLVMFuzzerTestOneInput(const char*, size_t) { return 0; }\n',
  );
  const args = ['-fsanitize=fuzzer,address', probe, '-o', path.join(folder, 'probe')];
  return (await run('clang++', args, { isQuiet: true })).status === 0;
}
