import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { readLocalFile } from '../../../lib/media/local-file.js';
import { policyWith } from './support/context.js';
import { rejectsWith } from './support/errors.js';

const root = mkdtempSync(join(tmpdir(), 'sensorium-test-'));
const allowed = join(root, 'allowed');
mkdirSync(join(allowed, 'sub folder'), { recursive: true });
mkdirSync(join(root, 'allowed-not'));
writeFileSync(join(allowed, 'a.txt'), 'inside');
writeFileSync(join(allowed, 'sub folder', 'b.txt'), 'deeper');
writeFileSync(join(root, 'outside.txt'), 'outside');
writeFileSync(join(root, 'allowed-not', 'c.txt'), 'outside');
symlinkSync(join(root, 'outside.txt'), join(allowed, 'escape.txt'));
symlinkSync(root, join(allowed, 'up'));
symlinkSync(join(allowed, 'a.txt'), join(allowed, 'link.txt'));
after(() => rmSync(root, { recursive: true }));

const policy = policyWith({ allowedLocalMediaPath: allowed });
const read = (url: string | URL, using = policy): Promise<Buffer> =>
  readLocalFile(new URL(url), using, 'image');

describe('local files', () => {
  test('are off by default', async () => {
    const error = await rejectsWith(
      read(pathToFileURL(join(allowed, 'a.txt')), policyWith()),
      'local_file_refused',
    );
    assert.equal(error.status, 403);
  });

  test('are read inside the folder, through names with spaces and inner links', async () => {
    assert.equal((await read(pathToFileURL(join(allowed, 'a.txt')))).toString(), 'inside');
    assert.equal((await read(pathToFileURL(join(allowed, 'sub folder', 'b.txt')))).toString(), 'deeper');
    assert.equal((await read(pathToFileURL(join(allowed, 'link.txt')))).toString(), 'inside');
  });

  test('are refused outside it: by dots, escapes, links, other hosts, and for the folder itself', async () => {
    const base = `file://${allowed}`;
    for (const url of [
      pathToFileURL(join(root, 'outside.txt')).href,
      pathToFileURL(join(root, 'allowed-not', 'c.txt')).href,
      `${base}/../outside.txt`,
      `${base}/%2e%2e/outside.txt`,
      `${base}/escape.txt`,
      `${base}/up/outside.txt`,
      'file:///etc/passwd',
      `file://elsewhere${allowed}/a.txt`,
      base,
      `${base}/sub%20folder`,
    ]) {
      await rejectsWith(read(url), 'local_file_refused');
    }
    await rejectsWith(read(`${base}/a%2f..%2f..%2foutside.txt`), 'invalid_url');
  });

  test('that are missing say so, without telling what lies outside', async () => {
    await rejectsWith(read(`file://${allowed}/missing.txt`), 'local_file_not_found');
    await rejectsWith(read(`file://${root}/missing.txt`), 'local_file_refused');
  });

  test('must be regular and within the size cap', { skip: process.platform === 'win32' }, async () => {
    execFileSync('mkfifo', [join(allowed, 'pipe')]);
    await rejectsWith(read(`file://${allowed}/pipe`), 'local_file_refused');
    const small = policyWith({ allowedLocalMediaPath: allowed, maxImageBytes: 3 });
    await rejectsWith(read(`file://${allowed}/a.txt`, small), 'media_too_large');
  });
});
