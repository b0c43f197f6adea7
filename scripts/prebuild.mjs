// Builds the addon for this machine's platform and puts it where `npm install` looks first.
import { copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const isMusl =
  process.platform === 'linux' && process.report.getReport().header.glibcVersionRuntime === undefined;
// node-gyp-build reads the file name's tags: Node-API, and the C library where it matters.
const tags = ['sensorium', 'napi', ...(process.platform === 'linux' ? [isMusl ? 'musl' : 'glibc'] : [])];
const file = path.join(ROOT, 'prebuilds', `${process.platform}-${process.arch}`, `${tags.join('.')}.node`);

await import('./build-addon.mjs');
mkdirSync(path.dirname(file), { recursive: true });
copyFileSync(path.join(ROOT, 'build', 'Release', 'sensorium.node'), `${file}.new`);
renameSync(`${file}.new`, file);
process.stdout.write(`sensorium: ${path.relative(process.cwd(), file)}\n`);
