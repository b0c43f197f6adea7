import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProcessedItemCache } from '../../../lib/media/cache.js';
import type { NativeMedia } from '../../../lib/native/addon.js';
import type { KeyedItem, ProcessedItem } from '../../../lib/processors/types.js';
import { fakeItem } from './support/fake-processor.js';
import { rejectsWith } from './support/errors.js';

const make = (sizeBytes: number) => (): Promise<ProcessedItem> =>
  Promise.resolve(fakeItem('image', sizeBytes));

describe('processed item cache', () => {
  test('counts queries and hits as A, B, A does', async () => {
    const cache = new ProcessedItemCache(100);
    for (const key of ['a', 'b', 'a']) await cache.getOrCompute(key, undefined, make(10));
    assert.deepEqual(cache.stats(), { queries: 3, hits: 1, evictions: 0, numItems: 2, bytes: 20 });
    cache.clear();
    assert.equal(cache.get('a'), undefined);
    assert.deepEqual(cache.stats(), { queries: 4, hits: 1, evictions: 0, numItems: 0, bytes: 0 });
  });

  test('lets the least recently used go first, by bytes', async () => {
    const cache = new ProcessedItemCache(30);
    for (const key of ['a', 'b', 'c']) await cache.getOrCompute(key, undefined, make(10));
    cache.get('a');
    await cache.getOrCompute('d', undefined, make(15));
    assert.ok(cache.get('a'));
    assert.equal(cache.get('b'), undefined);
    assert.equal(cache.get('c'), undefined);
    assert.equal(cache.stats().evictions, 2);
    assert.equal(cache.stats().bytes, 25);
  });

  test('does not keep what is larger than itself, nor anything at size 0', async () => {
    for (const maxBytes of [5, 0]) {
      const cache = new ProcessedItemCache(maxBytes);
      assert.equal((await cache.getOrCompute('a', undefined, make(10))).key, 'a');
      assert.equal(cache.stats().numItems, 0);
    }
  });

  test('strange keys are keys', async () => {
    const cache = new ProcessedItemCache(100);
    await cache.getOrCompute('__proto__', undefined, make(1));
    assert.equal(cache.get('__proto__')?.key, '__proto__');
    assert.equal(cache.get('constructor'), undefined);
  });
});

describe('shared work', () => {
  function slowWork(): {
    compute: (signal: AbortSignal) => Promise<ProcessedItem>;
    finish: () => void;
    signals: AbortSignal[];
  } {
    const signals: AbortSignal[] = [];
    let finish = (): void => undefined;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    const compute = async (signal: AbortSignal): Promise<ProcessedItem> => {
      signals.push(signal);
      await finished;
      return fakeItem('image', 10);
    };
    return { compute, finish, signals };
  }

  test('two callers of one key share one computation', async () => {
    const cache = new ProcessedItemCache(100);
    const { compute, finish, signals } = slowWork();
    const both = [cache.getOrCompute('a', undefined, compute), cache.getOrCompute('a', undefined, compute)];
    finish();
    const [one, other] = await Promise.all(both);
    assert.equal(one, other);
    assert.equal(signals.length, 1);
  });

  test('one that leaves does not end the other', async () => {
    const cache = new ProcessedItemCache(100);
    const { compute, finish, signals } = slowWork();
    const leaving = new AbortController();
    const left = cache.getOrCompute('a', leaving.signal, compute);
    const stays = cache.getOrCompute('a', undefined, compute);
    leaving.abort();
    await rejectsWith(left, 'request_cancelled');
    assert.equal(signals[0]?.aborted, false);
    finish();
    assert.equal((await stays).key, 'a');
  });

  test('the work ends when all have left, and starts anew for the next', async () => {
    const cache = new ProcessedItemCache(100);
    const { compute, finish, signals } = slowWork();
    const leaving = new AbortController();
    const left = cache.getOrCompute('a', leaving.signal, compute);
    leaving.abort();
    await rejectsWith(left, 'request_cancelled');
    assert.equal(signals[0]?.aborted, true);
    const next = cache.getOrCompute('a', undefined, compute);
    finish();
    await next;
    assert.equal(signals.length, 2);
  });

  test('a failure reaches all callers and is not kept', async () => {
    const cache = new ProcessedItemCache(100);
    const fail = (): Promise<never> => Promise.reject(new Error('no'));
    const both = [cache.getOrCompute('a', undefined, fail), cache.getOrCompute('a', undefined, fail)];
    for (const result of await Promise.allSettled(both)) assert.equal(result.status, 'rejected');
    assert.equal((await cache.getOrCompute('a', undefined, make(1))).key, 'a');
  });
});

describe('memory', () => {
  function makeCounted(sizeBytes: number) {
    const disposed: NativeMedia[] = [];
    return { disposed, compute: () => Promise.resolve(fakeItem('image', sizeBytes, disposed)) };
  }

  test('of what is not kept goes with the last who holds it', async () => {
    const cache = new ProcessedItemCache(0);
    const { disposed, compute } = makeCounted(10);
    const both = [cache.getOrCompute('a', undefined, compute), cache.getOrCompute('a', undefined, compute)];
    const [one, other] = (await Promise.all(both)) as [KeyedItem, KeyedItem];
    cache.release(one);
    assert.equal(disposed.length, 0);
    cache.release(other);
    assert.deepEqual(disposed, [one.media]);
  });

  test('of what is kept goes when it is evicted, but not while it is held', async () => {
    const cache = new ProcessedItemCache(10);
    const { disposed, compute } = makeCounted(10);
    cache.release(await cache.getOrCompute('a', undefined, compute));
    const held = cache.get('a') as KeyedItem;
    assert.deepEqual(disposed, []);
    cache.release(await cache.getOrCompute('b', undefined, compute));
    assert.deepEqual(disposed, []);
    cache.release(held);
    assert.deepEqual(disposed, [held.media]);
    cache.clear();
    assert.equal(disposed.length, 2);
  });

  test('of all parts of an item goes together', async () => {
    const cache = new ProcessedItemCache(0);
    const disposed: NativeMedia[] = [];
    const [clip, sound, padded] = (['video', 'audio', 'audio'] as const).map((modality) =>
      fakeItem(modality, 1, disposed),
    ) as [ProcessedItem, ProcessedItem, ProcessedItem];
    const whole = { ...clip, audio: { ...sound, paddedMedia: padded.media } };
    cache.release(await cache.getOrCompute('a', undefined, () => Promise.resolve(whole)));
    assert.deepEqual(disposed, [clip.media, sound.media, padded.media]);
  });

  test('of work that all have left goes when it is done', async () => {
    const cache = new ProcessedItemCache(0);
    const disposed: NativeMedia[] = [];
    let finish!: (item: ProcessedItem) => void;
    const work = new Promise<ProcessedItem>((resolve) => (finish = resolve));
    const leaving = new AbortController();
    const left = cache.getOrCompute('a', leaving.signal, () => work);
    leaving.abort();
    await rejectsWith(left, 'request_cancelled');
    finish(fakeItem('image', 10, disposed));
    await work;
    await Promise.resolve();
    assert.equal(disposed.length, 1);
  });

  test('of what was computed twice is given back once', async () => {
    const cache = new ProcessedItemCache(100);
    const { disposed, compute } = makeCounted(10);
    let finish!: (item: ProcessedItem) => void;
    const leaving = new AbortController();
    const slow = new Promise<ProcessedItem>((resolve) => (finish = resolve));
    const left = cache.getOrCompute('a', leaving.signal, () => slow);
    leaving.abort();
    await rejectsWith(left, 'request_cancelled');
    const kept = await cache.getOrCompute('a', undefined, compute);
    const late = await compute();
    finish(late);
    await slow;
    await Promise.resolve();
    assert.deepEqual(disposed, [late.media]);
    assert.equal(cache.get('a'), kept);
  });
});

describe('finding', () => {
  test('waits for what is being computed, and misses where that fails', async () => {
    const cache = new ProcessedItemCache(1000);
    assert.equal(await cache.find('k', undefined), undefined);
    let finish!: (item: ProcessedItem) => void;
    let fail!: (error: Error) => void;
    const compute = () =>
      new Promise<ProcessedItem>((resolve, reject) => {
        finish = resolve;
        fail = reject;
      });
    const first = cache.getOrCompute('k', undefined, compute);
    const found = cache.find('k', undefined);
    finish(fakeItem('image', 10));
    assert.equal(await found, await first);
    assert.equal(cache.stats().hits, 1);
    const failing = cache.getOrCompute('l', undefined, compute);
    const missed = cache.find('l', undefined);
    fail(new Error('broken'));
    await assert.rejects(failing, /broken/);
    assert.equal(await missed, undefined);
  });
});
