import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
  mkdirSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { SensoriumError } from '../../../lib/errors.js';
import { downloadModel } from '../../../lib/hub/download.js';
import { resolveModel } from '../../../lib/hub/resolve-model.js';
import type { DownloadProgress } from '../../../lib/hub/types.js';
import { COMMIT, FakeHub, type FakeFile } from './support/fake-hub.js';

const REPOSITORY = 'some-owner/some-model';
const json = (value: unknown): FakeFile => ({ content: Buffer.from(JSON.stringify(value)) });

function shardedFiles(): Map<string, FakeFile> {
  return new Map<string, FakeFile>([
    ['config.json', json({ model_type: 'qwen2' })],
    ['tokenizer.json', json({ model: {} })],
    ['chat_template.jinja', { content: Buffer.from('{{ messages }}') }],
    [
      'model.safetensors.index.json',
      json({ weight_map: { a: 'model-1.safetensors', b: 'model-2.safetensors' } }),
    ],
    ['model-1.safetensors', { content: randomBytes(300_000), isLfs: true }],
    ['model-2.safetensors', { content: randomBytes(200_000), isLfs: true }],
    ['consolidated.safetensors', { content: randomBytes(64), isLfs: true }],
    ['pytorch_model.bin', { content: randomBytes(64), isLfs: true }],
    ['modeling_evil.py', { content: Buffer.from('print("ran")') }],
    ['onnx/config.json', json({})],
  ]);
}

const rejectsWith = (code: string, pattern?: RegExp) => (error: SensoriumError) => {
  assert.equal(error.code, code);
  if (pattern !== undefined) assert.match(error.message, pattern);
  return true;
};

describe('download from the Hub', () => {
  let hub: FakeHub;
  let endpoint: string;
  let cacheFolder: string;
  let progress: DownloadProgress[];
  const options = (): Parameters<typeof downloadModel>[1] => ({
    endpoint,
    cacheFolder,
    isOffline: false,
    token: 'secret',
    onProgress: (state) => progress.push(state),
  });

  beforeEach(async () => {
    hub = new FakeHub(REPOSITORY, shardedFiles());
    endpoint = await hub.start();
    cacheFolder = mkdtempSync(path.join(tmpdir(), 'hub-'));
    progress = [];
  });
  afterEach(async () => {
    await hub.stop();
    rmSync(cacheFolder, { recursive: true });
  });

  const repositoryFolder = (): string => path.join(cacheFolder, 'models--some-owner--some-model');

  it('fetches what a model needs, and nothing else, into the layout that other tools share', async () => {
    const folder = await downloadModel(REPOSITORY, options());
    assert.equal(folder, path.join(repositoryFolder(), 'snapshots', COMMIT));
    assert.deepEqual(readdirSync(folder).sort(), [
      'chat_template.jinja',
      'config.json',
      'model-1.safetensors',
      'model-2.safetensors',
      'model.safetensors.index.json',
      'tokenizer.json',
    ]);
    for (const name of readdirSync(folder)) {
      assert.ok(lstatSync(path.join(folder, name)).isSymbolicLink());
      assert.deepEqual(readFileSync(path.join(folder, name)), hub.files.get(name)!.content);
    }
    assert.equal(readFileSync(path.join(repositoryFolder(), 'refs', 'main'), 'utf8'), COMMIT);
    const last = progress.at(-1)!;
    assert.equal(last.doneBytes, last.totalBytes);
    assert.ok(progress.every(({ doneBytes, totalBytes }) => doneBytes >= 0 && doneBytes <= totalBytes));
    const leftovers = readdirSync(path.join(repositoryFolder(), 'blobs')).filter((name) =>
      name.includes('.'),
    );
    assert.deepEqual(leftovers, []);
  });

  it('does not fetch again what the cache holds', async () => {
    await downloadModel(REPOSITORY, options());
    await downloadModel(REPOSITORY, options());
    assert.equal(hub.numDownloads('model-1.safetensors'), 1);
  });

  it('goes on where a cut ended', async () => {
    hub.faults.set('model-1.safetensors', { cutAfterBytes: 100_000, numCuts: 2 });
    const folder = await downloadModel(REPOSITORY, options());
    const ranges = hub.requests
      .filter((request) => request.path.endsWith('model-1.safetensors'))
      .map(({ range }) => range);
    assert.deepEqual(ranges, [undefined, 'bytes=100000-', 'bytes=200000-']);
    assert.deepEqual(
      readFileSync(path.join(folder, 'model-1.safetensors')),
      hub.files.get('model-1.safetensors')!.content,
    );
  });

  it('asks a server again that has fallen silent', async () => {
    hub.faults.set('model-1.safetensors', { cutAfterBytes: 100_000, numCuts: 1, isStalling: true });
    await downloadModel(REPOSITORY, { ...options(), stallTimeoutMs: 200 });
    assert.equal(hub.numDownloads('model-1.safetensors'), 2);
  });

  it('begins anew where the server ignores ranges', async () => {
    hub.faults.set('model-1.safetensors', { cutAfterBytes: 100_000, numCuts: 1, isWithoutRanges: true });
    const folder = await downloadModel(REPOSITORY, options());
    assert.deepEqual(
      readFileSync(path.join(folder, 'model-1.safetensors')),
      hub.files.get('model-1.safetensors')!.content,
    );
    assert.equal(progress.at(-1)!.doneBytes, progress.at(-1)!.totalBytes);
  });

  it('goes on with what an ended process left', async () => {
    const { content } = hub.files.get('model-2.safetensors')!;
    const { hex } = await blobName('model-2.safetensors');
    mkdirSync(path.join(repositoryFolder(), 'blobs'), { recursive: true });
    writeFileSync(path.join(repositoryFolder(), 'blobs', `${hex}.incomplete`), content.subarray(0, 50_000));
    const lock = path.join(repositoryFolder(), 'blobs', `${hex}.lock`);
    writeFileSync(lock, '');
    utimesSync(lock, new Date(0), new Date(0));
    await downloadModel(REPOSITORY, options());
    const request = hub.requests.find(({ path: requested }) => requested.endsWith('model-2.safetensors'));
    assert.equal(request?.range, 'bytes=50000-');
  });

  async function blobName(name: string): Promise<{ hex: string }> {
    const { createHash } = await import('node:crypto');
    return { hex: createHash('sha256').update(hub.files.get(name)!.content).digest('hex') };
  }

  it('tries a busy server again', async () => {
    hub.faults.set('config.json', { num503: 2 });
    await downloadModel(REPOSITORY, options());
    assert.equal(hub.numDownloads('config.json'), 3);
  });

  it('fetches a file of the wrong hash once more, then says so and keeps nothing of it', async () => {
    hub.faults.set('model-1.safetensors', { numWrongContents: 1 });
    await downloadModel(REPOSITORY, options());
    assert.equal(hub.numDownloads('model-1.safetensors'), 2);
    rmSync(repositoryFolder(), { recursive: true });
    hub.faults.set('model-1.safetensors', { numWrongContents: 99 });
    await assert.rejects(downloadModel(REPOSITORY, options()), rejectsWith('download_corrupt', /model-1/));
    const { hex } = await blobName('model-1.safetensors');
    assert.ok(!readdirSync(path.join(repositoryFolder(), 'blobs')).some((name) => name.startsWith(hex)));
  });

  it('does not take more bytes than the Hub named', async () => {
    hub.faults.set('config.json', { numExtraBytes: 10 });
    await assert.rejects(downloadModel(REPOSITORY, options()), rejectsWith('download_failed', /more bytes/));
  });

  it('sends its token to the Hub and not to where that redirects', async () => {
    const other = new FakeHub(REPOSITORY, hub.files);
    const target = await other.start();
    hub.faults.set('model-1.safetensors', {
      redirect: `${target}/${REPOSITORY}/resolve/${COMMIT}/model-1.safetensors`,
    });
    await downloadModel(REPOSITORY, options());
    await other.stop();
    assert.ok(hub.requests.every(({ authorization }) => authorization === 'Bearer secret'));
    assert.deepEqual(
      other.requests.map(({ authorization }) => authorization),
      [undefined],
    );
  });

  it('says what the Hub refuses by', async () => {
    hub.refusal = 404;
    await assert.rejects(downloadModel(REPOSITORY, options()), rejectsWith('model_not_found', /some-owner/));
    hub.refusal = 403;
    await assert.rejects(downloadModel(REPOSITORY, options()), rejectsWith('hub_access_refused', /HF_TOKEN/));
    hub.refusal = 500;
    await assert.rejects(downloadModel(REPOSITORY, options()), rejectsWith('download_failed', /500/));
  });

  it('works offline with a complete copy only', async () => {
    const offline = { ...options(), isOffline: true };
    await assert.rejects(downloadModel(REPOSITORY, offline), rejectsWith('model_not_found', /offline/));
    const folder = await downloadModel(REPOSITORY, options());
    const numRequests = hub.requests.length;
    assert.equal(await downloadModel(REPOSITORY, offline), folder);
    assert.equal(hub.requests.length, numRequests);
    rmSync(path.join(folder, 'model-2.safetensors'));
    await assert.rejects(downloadModel(REPOSITORY, offline), rejectsWith('model_not_found'));
  });

  it('uses the cached copy where the Hub cannot be reached', async () => {
    const folder = await downloadModel(REPOSITORY, options());
    await hub.stop();
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    assert.equal(await downloadModel(REPOSITORY, options()), folder);
    assert.match((await warned).message, /cached copy/);
  });

  it('takes revisions, and none that leave the cache', async () => {
    await downloadModel(REPOSITORY, { ...options(), revision: 'refs/pr/3' });
    assert.equal(readFileSync(path.join(repositoryFolder(), 'refs', 'refs/pr/3'), 'utf8'), COMMIT);
    for (const revision of ['../x', '/etc', 'a/../b', '', '.', 'a//b'])
      await assert.rejects(
        downloadModel(REPOSITORY, { ...options(), revision }),
        rejectsWith('invalid_option'),
      );
  });

  it('refuses hostile listings', async () => {
    hub.files.set('model.safetensors.index.json', json({ weight_map: { a: '../../evil.safetensors' } }));
    await assert.rejects(downloadModel(REPOSITORY, options()), rejectsWith('invalid_checkpoint', /no shard/));
    hub.files.delete('model.safetensors.index.json');
    await assert.rejects(
      downloadModel(REPOSITORY, options()),
      rejectsWith('invalid_checkpoint', /no weights in safetensors/),
    );
    hub.files.set('../escape.json', json({}));
    hub.files.set('model.safetensors', { content: randomBytes(10), isLfs: true });
    const folder = await downloadModel(REPOSITORY, options());
    assert.ok(!readdirSync(path.dirname(folder)).includes('escape.json'));
  });

  it('ends when it is cancelled', async () => {
    const controller = new AbortController();
    const promise = downloadModel(REPOSITORY, {
      ...options(),
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await assert.rejects(promise, rejectsWith('request_cancelled'));
  });

  it('lets several callers share one download', async () => {
    await Promise.all([downloadModel(REPOSITORY, options()), downloadModel(REPOSITORY, options())]);
    assert.equal(hub.numDownloads('model-1.safetensors'), 1);
  });

  it('fetches the language model that an adapter names, and goes on without it', async () => {
    hub.files.set('config.json', json({ model_type: 'ultravox', text_model_id: 'other/base' }));
    const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
    assert.match(await resolveModel(REPOSITORY, options()), /snapshots/);
    assert.match((await warned).message, /'other\/base', which this model names, was not fetched/);
    assert.ok(hub.requests.some((request) => request.path === '/api/models/other/base/revision/main'));
  });

  it('takes folders for folders', async () => {
    assert.equal(await resolveModel(cacheFolder, options()), cacheFolder);
    assert.equal(await resolveModel('./no/such/folder', options()), './no/such/folder');
    assert.equal(hub.requests.length, 0);
    assert.match(await resolveModel(REPOSITORY, options()), /snapshots/);
  });
});
