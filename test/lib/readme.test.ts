import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ROUTES } from '../../lib/server/route-table.js';

const README = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8');

test('the README lists exactly the routes there are', () => {
  const listed = [...README.matchAll(/^\| `(GET|POST) (\/\S+)`\s*\|/gm)].map(
    ([, method, path]) => `${method} ${path}`,
  );
  assert.deepEqual(listed.sort(), ROUTES.map(({ method, path }) => `${method} ${path}`).sort());
});

test('the reference page has the tables that the code gives', () => {
  const script = fileURLToPath(new URL('../../../scripts/reference.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
});
