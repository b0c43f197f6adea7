import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AlignmentRequest } from '../../../lib/engine/alignment.js';
import { Engine } from '../../../lib/engine/engine.js';
import type { NativeAlignment } from '../../../lib/native/addon.js';
import type { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { FakeAddon, type FakeNativeEngine } from './fake-native.js';

const ALIGNMENT: NativeAlignment = {
  heads: [[1, 2]],
  filterWidth: 7,
  firstToken: 1,
  numTokens: 2,
  numFrames: 9,
};

async function openEngine(): Promise<{ engine: Engine; native: FakeNativeEngine }> {
  const addon = new FakeAddon();
  const options = { model: '', dtype: 'float32' as const, eosTokenIds: [], maxNumSeqs: 4, maxQueued: 8 };
  const sizes = { maxNumBatchedTokens: 64, maxModelLen: 128, blockSize: 16, encoderCacheBytes: 0 };
  const engine = await Engine.create(
    addon,
    { ...options, ...sizes, enablePrefixCaching: false },
    { tokenizer: {} as Tokenizer, samplingDefaults: {} },
  );
  return { engine, native: addon.engine };
}

const request = (promptIds = [1, 2, 3], signal?: AbortSignal): AlignmentRequest => ({
  prompt: {
    promptIds: Int32Array.from(promptIds),
    media: [],
    numTokensByModality: { image: 0, video: 0, audio: 0 },
  },
  alignment: ALIGNMENT,
  cacheSalt: '',
  signal,
});

describe('tokens are aligned by the engine', () => {
  test('as its event says', async () => {
    const { engine, native } = await openEngine();
    const running = engine.align(request());
    assert.deepEqual(native.requests[0]?.alignment, ALIGNMENT);
    native.send(native.requests[0]?.id ?? 0, [], { finishReason: 'stop', tokenFrames: [0, 4] });
    assert.deepEqual(await running, [0, 4]);
    assert.equal(engine.numRunning, 0);
  });

  test('or refused with the fault of its own', async () => {
    const { engine, native } = await openEngine();
    const running = engine.align(request());
    native.send(native.requests[0]?.id ?? 0, [], { finishReason: 'error', errorMessage: 'no memory' });
    await assert.rejects(running, { code: 'internal_error' });
    assert.throws(() => engine.align(request([])), { code: 'prompt_empty' });
    assert.throws(() => engine.align(request([503])), { code: 'invalid_value' });
    assert.throws(() => engine.align(request(Array(129).fill(1) as number[])), { code: 'prompt_too_long' });
    assert.equal(engine.numRunning, 0);
  });

  test('until a signal fires or the engine closes', async () => {
    const { engine, native } = await openEngine();
    const controller = new AbortController();
    const left = engine.align(request([1, 2, 3], controller.signal));
    controller.abort();
    await assert.rejects(left, { code: 'request_cancelled' });
    assert.deepEqual(native.aborted, [native.requests[0]?.id]);
    const last = engine.align(request());
    await Promise.all([assert.rejects(last, { code: 'shutting_down' }), engine.close(0)]);
    assert.throws(() => engine.align(request()), { code: 'shutting_down' });
  });
});
