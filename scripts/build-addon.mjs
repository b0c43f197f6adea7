// Builds the native addon with CMake into build/Release/sensorium.node. Headers come from installed packages: nothing is downloaded.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, totalmem } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const BUILD_FOLDER = path.join(ROOT, 'build', 'addon');
const ADDON = path.join(ROOT, 'build', 'Release', 'sensorium.node');
const LEAST_CMAKE = [3, 18];
const BYTES_PER_COMPILER = 2 ** 30;
const INSTALL_HINT =
  'Install them (Debian, Ubuntu: apt-get install cmake g++; Fedora: dnf install cmake gcc-c++; macOS: xcode-select --install and brew install cmake) and run the command again.';

function fail(message) {
  process.stderr.write(`sensorium: ${message}\n`);
  process.exit(1);
}

function checkCMake() {
  const { status, stdout } = spawnSync('cmake', ['--version'], { encoding: 'utf8' });
  if (status !== 0)
    fail(
      `The native addon is built with CMake ${LEAST_CMAKE.join('.')} or later and a C++20 compiler (GCC 12, Clang 15); cmake was not found. ${INSTALL_HINT}`,
    );
  const [major, minor] = /version (\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number) ?? [0, 0];
  if (major < LEAST_CMAKE[0] || (major === LEAST_CMAKE[0] && minor < LEAST_CMAKE[1]))
    fail(`CMake ${LEAST_CMAKE.join('.')} or later is needed; this is ${major}.${minor}.`);
}

/** Folders of node_api.h and napi.h. */
function includeFolders() {
  const require = createRequire(import.meta.url);
  try {
    return [require('node-api-headers').include_dir, require('node-addon-api').include_dir].map((folder) =>
      path.resolve(ROOT, folder),
    );
  } catch (error) {
    return fail(`The packages node-api-headers and node-addon-api are not installed: ${error.message}`);
  }
}

function runCMake(args, explanation) {
  const { status, stdout, stderr } = spawnSync('cmake', args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status === 0) return;
  process.stderr.write(`${stdout}\n${stderr}\n`);
  fail(`'cmake ${args.join(' ')}' failed. ${explanation}`);
}

/** A running process may have the old file mapped, so it is replaced and never written to. */
function publish() {
  mkdirSync(path.dirname(ADDON), { recursive: true });
  const temporary = `${ADDON}.${process.pid}`;
  copyFileSync(path.join(BUILD_FOLDER, 'sensorium.node'), temporary);
  renameSync(temporary, ADDON);
}

checkCMake();
const jobs = Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / BYTES_PER_COMPILER)));
process.stdout.write(`sensorium: building the native addon with ${jobs} compiler(s)\n`);
runCMake(
  [
    '-S',
    ROOT,
    '-B',
    BUILD_FOLDER,
    '-DCMAKE_BUILD_TYPE=Release',
    '-DSENSORIUM_BUILD_ADDON=ON',
    '-DSENSORIUM_BUILD_TESTS=OFF',
    `-DNODE_API_INCLUDE_DIRS=${includeFolders().join(';')}`,
  ],
  `Is there a C++20 compiler (GCC 12, Clang 15 or later; CXX selects one)? ${INSTALL_HINT}`,
);
runCMake(
  ['--build', BUILD_FOLDER, '--target', 'sensorium_addon', '--parallel', String(jobs)],
  'The compiler must know C++20 (GCC 12, Clang 15 or later; CXX selects one, after build/addon is removed).',
);
publish();
process.stdout.write(`sensorium: ${path.relative(process.cwd(), ADDON) || ADDON}\n`);
