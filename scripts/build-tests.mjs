// Compiles lib/ to dist/ and the tests to dist-test/test/. The tests import `../../lib/x.js`, which must be the built library itself
// (its workers, addon and package.json are found from dist/), so dist-test/lib is a link to dist/.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const root = fileURLToPath(new URL('..', import.meta.url));
const link = path.join(root, 'dist-test', 'lib');
const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');

mkdirSync(path.dirname(link), { recursive: true });
if (!existsSync(link)) symlinkSync(path.join('..', 'dist'), link, 'junction');
const { status } = spawnSync(process.execPath, [tsc, '-b', path.join(root, 'test')], { stdio: 'inherit' });
process.exit(status ?? 1);
