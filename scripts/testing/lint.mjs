// Form: types, formatting, lint rules and the one-way arrows between rooms.
import { existsSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { ROOT, check, skip, sum, versionOf } from './command.mjs';

// Other versions of clang-format lay out some constructs differently.
const CLANG_FORMAT_MAJOR = '14';

const node = process.execPath;
const bin = (name, file) => path.join(ROOT, 'node_modules', name, file);

function clangFormat() {
  const command = ['clang-format-14', 'clang-format'].find((name) =>
    versionOf(name)?.includes(` ${CLANG_FORMAT_MAJOR}.`),
  );
  if (command === undefined) return skip('clang-format', `version ${CLANG_FORMAT_MAJOR} is not installed`);
  const { stdout } = spawnSync('git', ['ls-files', 'native', 'test/native', 'bench'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  const files = stdout
    .split('\n')
    .filter((file) => /\.(cpp|h)$/.test(file) && existsSync(path.join(ROOT, file)));
  if (files.length === 0) return skip('clang-format', 'not a git checkout');
  return check('clang-format', command, ['--dry-run', '--Werror', ...files]);
}

export async function lint() {
  return sum([
    await check('types', node, ['scripts/build-tests.mjs']),
    await check('eslint', node, [bin('eslint', 'bin/eslint.js'), '.']),
    await check('prettier', node, [
      bin('prettier', 'bin/prettier.cjs'),
      '--check',
      '--log-level',
      'warn',
      '.',
    ]),
    await check('reference page', node, ['scripts/reference.mjs', '--check']),
    await check('arrows', node, ['scripts/lint-arrows.mjs']),
    await clangFormat(),
  ]);
}
