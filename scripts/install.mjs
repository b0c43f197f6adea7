// Runs at `npm install`: keeps a prebuilt addon that loads here, else builds one. Nothing is downloaded.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The prebuilt addon for this machine, or undefined. */
function findPrebuild() {
  if (!existsSync(path.join(ROOT, 'prebuilds', `${process.platform}-${process.arch}`))) return undefined;
  try {
    process.env.PREBUILDS_ONLY = '1';
    return createRequire(import.meta.url)('node-gyp-build').resolve(ROOT);
  } catch {
    return undefined;
  }
}

/** Loads it in a process of its own, which a broken file cannot take along. */
function isLoadable(file) {
  return spawnSync(process.execPath, ['-e', 'require(process.argv[1]).cpuInfo()', file]).status === 0;
}

const prebuild = findPrebuild();
if (prebuild === undefined || !isLoadable(prebuild)) {
  if (prebuild !== undefined)
    process.stdout.write(`sensorium: ${path.basename(prebuild)} cannot be loaded here\n`);
  await import('./build-addon.mjs');
}
