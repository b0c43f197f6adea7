import assert from 'node:assert/strict';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type {
  NativeEngine,
  NativeEngineOptions,
  NativeErrorCode,
  NativeEvent,
  NativeRequest,
} from '../../../lib/native/addon.js';
import { loadAddon } from '../../../lib/native/load.js';
import { GOLDENS, REPOSITORY } from '../support/goldens.js';
import { PATCH_OPTIONS, caseFile, engineOptions, greedyRequest, readTensor } from './support.js';

const addon = loadAddon();
const DEADLINE_MS = 30_000;

const hasCode =
  (code: NativeErrorCode, text = /./) =>
  (error: unknown): boolean =>
    error instanceof Error && 'code' in error && error.code === code && text.test(error.message);

class TestEngine {
  readonly events: NativeEvent[] = [];
  readonly progress: [number, number][] = [];
  native!: NativeEngine;

  static async open(changes: Partial<NativeEngineOptions> = {}): Promise<TestEngine> {
    const engine = new TestEngine();
    engine.native = await addon.createEngine(
      engineOptions(changes),
      (events) => engine.events.push(...events),
      (done, total) => engine.progress.push([done, total]),
    );
    return engine;
  }

  async finished(id: number): Promise<NativeEvent> {
    const deadline = Date.now() + DEADLINE_MS;
    for (;;) {
      const event = this.events.find((e) => e.requestId === id && e.finishReason !== undefined);
      if (event !== undefined) return event;
      assert.ok(Date.now() < deadline, `request ${id} did not end`);
      await delay(1);
    }
  }

  tokens(id: number): number[] {
    return this.events.filter((e) => e.requestId === id).flatMap((e) => e.tokenIds);
  }
}

const golden = (name: string): { promptIds: ArrayLike<number>; generatedIds: number[] } => ({
  promptIds: readTensor(caseFile('qwen2', name), 'input_ids').values,
  generatedIds: Array.from(readTensor(caseFile('qwen2', name), 'generated_ids').values),
});

test('a checkpoint loads with progress and describes itself', async () => {
  const engine = await TestEngine.open({ isa: 'generic', numThreads: 1 });
  const { native, progress } = engine;
  assert.equal(native.info.architecture, 'Qwen2ForCausalLM');
  assert.equal(native.info.family, 'qwen2');
  assert.deepEqual([native.maxModelLen, native.isa, native.numThreads], [256, 'generic', 1]);
  assert.ok(progress.length >= 1);
  const last = progress.at(-1)!;
  assert.equal(last[0], last[1]);
  const stats = native.stats();
  assert.equal(stats.numBlocks, (4 * 256) / 16);
  assert.ok(stats.kvCacheBytes > 0 && stats.weightBytes > 0);
  await native.close();
});

test('greedy tokens equal the reference, one at a time and together', async () => {
  const engine = await TestEngine.open();
  const names = ['completion', 'chat', 'chat_multi_turn'];
  names.forEach((name, i) => {
    const { promptIds, generatedIds } = golden(name);
    engine.native.submit(greedyRequest(i, promptIds, generatedIds.length));
  });
  for (const [i, name] of names.entries()) {
    const event = await engine.finished(i);
    assert.equal(event.finishReason, 'length');
    assert.ok(event.timings !== undefined && event.timings.prefillMs >= 0);
    assert.deepEqual(engine.tokens(i), golden(name).generatedIds, name);
  }
  await engine.native.close();
});

test('logprobs, stop ids and several continuations arrive as asked', async () => {
  const engine = await TestEngine.open();
  const { promptIds, generatedIds } = golden('chat');
  const request = greedyRequest(1, promptIds, generatedIds.length);
  request.sampling = { ...request.sampling, numLogprobs: 3, n: 2, stopTokenIds: [generatedIds[0]!] };
  engine.native.submit(request);
  const deadline = Date.now() + DEADLINE_MS;
  const ends = (): NativeEvent[] => engine.events.filter((e) => e.finishReason !== undefined);
  while (ends().length < 2 && Date.now() < deadline) await delay(1);
  assert.deepEqual(ends().map((e) => e.index).sort(), [0, 1]);
  for (const event of ends()) {
    assert.equal(event.finishReason, 'stop');
    assert.equal(event.stopTokenId, generatedIds[0]);
    const [logprob] = event.logprobs!;
    assert.deepEqual([logprob!.tokenId, logprob!.rank, logprob!.top.length], [generatedIds[0], 1, 3]);
  }
  await engine.native.close();
});

test('an aborted request ends and its blocks are free', async () => {
  const engine = await TestEngine.open();
  engine.native.submit(greedyRequest(7, [1, 2, 3], 200));
  while (engine.tokens(7).length === 0) await delay(1);
  engine.native.abort(7);
  engine.native.abort(12345);
  engine.native.abortSequence(12345, 0);
  assert.equal((await engine.finished(7)).finishReason, 'aborted');
  engine.native.resetCaches();
  assert.equal(engine.native.stats().numUsedBlocks, 0);
  await engine.native.close();
});

test('close ends what runs, may be called again, and later calls are refused', async () => {
  const engine = await TestEngine.open();
  engine.native.submit(greedyRequest(1, [1, 2, 3], 250));
  await Promise.all([engine.native.close(), engine.native.close()]);
  assert.equal((await engine.finished(1)).finishReason, 'aborted');
  await engine.native.close();
  assert.throws(() => engine.native.submit(greedyRequest(2, [1], 1)), hasCode('unavailable'));
  assert.throws(() => engine.native.stats(), hasCode('unavailable'));
  assert.doesNotThrow(() => {
    engine.native.abort(1);
  });
});

test('several engines run at once', async () => {
  const engines = await Promise.all([TestEngine.open(), TestEngine.open({ isa: 'generic' })]);
  const { promptIds, generatedIds } = golden('completion');
  for (const engine of engines) engine.native.submit(greedyRequest(1, promptIds, generatedIds.length));
  for (const engine of engines) {
    await engine.finished(1);
    assert.deepEqual(engine.tokens(1), generatedIds);
    await engine.native.close();
  }
});

test('a picture is encoded once per key', async () => {
  const engine = await TestEngine.open({ model: join(GOLDENS, 'qwen2_vl', 'model') });
  const file = caseFile('qwen2_vl', 'img_basic');
  const promptIds = readTensor(file, 'input_ids').values;
  const [, h, w] = readTensor(file, 'image_grid_thw').values;
  const size = { width: w! * 14, height: h! * 14 };
  const media = await addon.patchifyImage(new Uint8Array(size.width * size.height * 3), size.width, size.height, {
    ...PATCH_OPTIONS,
    ...size,
  });
  const count = (w! * h!) / 4;
  const placeholder = Array.from(promptIds).find((id, i) => promptIds[i + 1] === id && promptIds[i + 2] === id)!;
  const offset = Array.from(promptIds).indexOf(placeholder);
  for (const id of [1, 2]) {
    const request = greedyRequest(id, promptIds, 4);
    request.media = [{ key: 'k', media, runs: [[offset, count]], isInterleavedWithAudio: false }];
    request.cacheSalt = `salt ${id}`;
    engine.native.submit(request);
    assert.equal((await engine.finished(id)).finishReason, 'length');
  }
  assert.ok(engine.native.hasEncoded('k'));
  assert.equal((await engine.finished(2)).numCachedMedia, 1);
  assert.deepEqual(engine.tokens(1), engine.tokens(2));
  await engine.native.close();
});

test('a checkpoint that cannot be loaded rejects with its class', async () => {
  const open = (changes: Partial<NativeEngineOptions>): Promise<TestEngine> => TestEngine.open(changes);
  await assert.rejects(open({ model: '/nonexistent' }), hasCode('invalid_checkpoint', /nonexistent/));
  await assert.rejects(open({ isa: 'mmx' }), hasCode('unavailable'));
  await assert.rejects(open({ maxModelLen: 1_000_000 }), hasCode('invalid_argument', /maxModelLen/));
  await assert.rejects(open({ kvCacheBytes: 1000 }), hasCode('invalid_argument', /kvCacheBytes/));
});

test('options and requests of a wrong type or range throw invalid_argument and name the field', async () => {
   
  const create = (options: any, ...rest: unknown[]): unknown => (addon.createEngine as any)(options, ...rest);
  assert.throws(() => create(undefined), hasCode('invalid_argument', /^options/));
  assert.throws(() => create(engineOptions()), hasCode('invalid_argument', /^onEvents/));
  assert.throws(() => create({ ...engineOptions(), dtype: 'int3' }), hasCode('invalid_argument', /dtype/));
  assert.throws(() => create({ ...engineOptions(), maxNumSeqs: 0 }), hasCode('invalid_argument', /maxNumSeqs/));
  assert.throws(() => create({ ...engineOptions(), eosTokenIds: ['a'] }), hasCode('invalid_argument', /\[0\]/));

  const { native } = await TestEngine.open();
  const good = greedyRequest(1, [1, 2], 2);
  const refused = (changes: Record<string, unknown>, text: RegExp): void => {
    const request = { ...good, ...changes };
    assert.throws(() => native.submit(request), hasCode('invalid_argument', text));
  };
  refused({ id: -1 }, /request\.id/);
  refused({ promptIds: [1, 2] }, /promptIds/);
  refused({ promptIds: new Int32Array(0) }, /prompt/);
  refused({ promptIds: new Int32Array([1 << 30]) }, /./);
  refused({ media: {} }, /media/);
  refused({ media: [{ key: 'k', media: {}, runs: [], isInterleavedWithAudio: false }] }, /media\[0\]\.media/);
  refused({ cacheSalt: 5 }, /cacheSalt/);
  refused({ sampling: { ...good.sampling, seed: 5 } }, /seed/);
  refused({ sampling: { ...good.sampling, seed: -1n } }, /seed/);
  refused({ sampling: { ...good.sampling, topP: 2 } }, /topP/);
  refused({ sampling: { ...good.sampling, logitBias: [[1]] } }, /logitBias\[0\]/);
  refused({ sampling: { ...good.sampling, maxTokens: 0 } }, /maxTokens/);
  const alignment = { heads: [[0, 0]], filterWidth: 7, firstToken: 0, numTokens: 2, numFrames: 1 };
  refused({ alignment }, /alignment/);
  refused({ alignment: { ...alignment, heads: [[0]] } }, /alignment\.heads\[0\]/);
  refused({ alignment: { ...alignment, heads: [[0, -1]] } }, /alignment\.heads\[0\]\[1\]/);
  refused({ alignment: { ...alignment, numFrames: 0 } }, /alignment\.numFrames/);
  assert.throws(() => native.abort(Number.NaN), hasCode('invalid_argument', /requestId/));
  assert.throws(() => native.hasEncoded(undefined as unknown as string), hasCode('invalid_argument', /key/));
  await native.close();
});

const WORKER = `
  import { workerData, parentPort } from 'node:worker_threads';
  const { loadAddon } = await import(workerData.load);
  const events = [];
  const engine = await loadAddon().createEngine(workerData.options, (news) => {
    events.push(...news);
    if (events.some((e) => e.finishReason !== undefined)) parentPort.postMessage(events.flatMap((e) => e.tokenIds));
  }, () => {});
  engine.submit(workerData.request);
`;

function startWorker(request: NativeRequest): Worker {
  const load = new URL('../../../lib/native/load.js', import.meta.url).href;
  const url = new URL(`data:text/javascript,${encodeURIComponent(WORKER)}`);
  return new Worker(url, { workerData: { load, options: engineOptions(), request } });
}

test('workers have engines of their own and may leave them open', async () => {
  const { promptIds, generatedIds } = golden('completion');
  const workers = [0, 1].map((id) => startWorker(greedyRequest(id, promptIds, generatedIds.length)));
  const answers = await Promise.all(
    workers.map(
      (worker) =>
        new Promise((resolve, reject) => {
          let answer: unknown;
          worker.on('message', (tokens) => (answer = tokens));
          worker.on('error', reject);
          worker.on('exit', () => resolve(answer));
        }),
    ),
  );
  assert.deepEqual(answers, [generatedIds, generatedIds]);
});

test('a worker that is terminated under load stops its engine', async () => {
  const worker = startWorker(greedyRequest(1, [1, 2, 3], 250));
  await new Promise((resolve) => worker.once('online', resolve));
  await delay(50);
  await worker.terminate();
  const engine = await TestEngine.open();
  await engine.native.close();
});

test('the embedded model loads', async () => {
  const engine = await TestEngine.open({ model: join(REPOSITORY, 'models', 'demo'), dtype: 'bfloat16', maxModelLen: 0 });
  assert.ok(engine.native.info.hasImage);
  assert.equal(engine.native.maxModelLen, engine.native.info.maxPositionEmbeddings);
  await engine.native.close();
});
