import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createProgram } from '../../lib/cli/program.js';
import { ERROR_TABLE } from '../../lib/errors.js';
import { ROUTES } from '../../lib/server/route-table.js';

const README = readFileSync(fileURLToPath(new URL('../../../README.md', import.meta.url)), 'utf8');

test('the README lists exactly the error codes there are', () => {
  const rows = [...README.matchAll(/^\| `(\w+)`\s*\| (\d{3})\s*\| (.*?)\s*\|$/gm)];
  const listed = rows.map(([, code, status]) => [code, Number(status)]);
  const real = Object.entries(ERROR_TABLE).map(([code, { status }]) => [code, status]);
  assert.deepEqual(listed, real);
  for (const [, code, , when] of rows) assert.ok(when !== '' && when !== 'undefined', code);
});

test('the README lists exactly the routes there are', () => {
  const listed = [...README.matchAll(/^\| `(GET|POST) (\/\S+)`\s*\|/gm)].map(
    ([, method, path]) => `${method} ${path}`,
  );
  assert.deepEqual(listed.sort(), ROUTES.map(({ method, path }) => `${method} ${path}`).sort());
});

test('the README lists exactly the flags of serve', () => {
  const serve = createProgram().commands.find((command) => command.name() === 'serve')!;
  const table = README.slice(README.indexOf('### Flags'), README.indexOf('### Environment'));
  const listed = [...table.matchAll(/`(--[\w-]+)`/g)].map(([, flag]) => flag);
  const real = serve.options.map(({ long }) => long);
  assert.deepEqual([...new Set(listed)].sort(), real.sort());
});
