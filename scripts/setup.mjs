// Makes a fresh clone ready: packages, addon, compiled TypeScript; does only what is missing or old. Uses nothing but Node.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const LEAST_NODE = [20, 19];

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function run(command, args) {
  const isNpm = command === 'npm';
  const { status, error } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: 'inherit',
    shell: isNpm && process.platform === 'win32',
  });
  if (error !== undefined) fail(`${command}: ${error.message}`);
  if (status !== 0) fail(`'${command} ${args.join(' ')}' failed.`);
}

function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const isEnough = major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1]);
  if (!isEnough) fail(`Node ${LEAST_NODE.join('.')} or later is needed; this is ${process.versions.node}.`);
}

const readJson = (file) => JSON.parse(readFileSync(path.join(ROOT, file), 'utf8'));

/** Whether every required package of the lock file is installed in its version. */
function arePackagesCurrent() {
  if (!existsSync(path.join(ROOT, 'node_modules/.package-lock.json'))) return false;
  const installed = readJson('node_modules/.package-lock.json').packages;
  const wanted = Object.entries(readJson('package-lock.json').packages);
  return wanted.every(
    ([name, entry]) =>
      name === '' || entry.optional || entry.peer || installed[name]?.version === entry.version,
  );
}

/** Time of the newest file in a folder, in ms. */
function newest(folder) {
  const files = readdirSync(path.join(ROOT, folder), { recursive: true, withFileTypes: true });
  return Math.max(
    0,
    ...files
      .filter((f) => f.isFile())
      .map((f) => statSync(path.join(f.parentPath ?? f.path, f.name)).mtimeMs),
  );
}

/** The addon that would be loaded, or undefined. */
function addonPath() {
  try {
    return createRequire(path.join(ROOT, 'package.json'))('node-gyp-build').resolve(ROOT);
  } catch {
    return undefined;
  }
}

function isAddonCurrent() {
  const addon = addonPath();
  return (
    addon !== undefined &&
    statSync(addon).mtimeMs >= Math.max(newest('native'), statSync(path.join(ROOT, 'CMakeLists.txt')).mtimeMs)
  );
}

checkNode();
// Installing builds the addon as well.
if (!arePackagesCurrent())
  run('npm', [existsSync(path.join(ROOT, 'node_modules')) ? 'install' : 'ci', '--no-audit', '--no-fund']);
if (!isAddonCurrent()) run(process.execPath, ['scripts/build-addon.mjs']);
run(process.execPath, ['node_modules/typescript/bin/tsc', '-b']);
