import assert from 'node:assert/strict';
import { test } from 'node:test';
import { disposeOfPrompt, ItemHolds } from '../../../lib/media/item-holds.js';
import type { NativeMedia } from '../../../lib/native/addon.js';
import type { KeyedItem } from '../../../lib/processors/types.js';
import { fakeItem } from './support/fake-processor.js';

test('an item is disposed of with its last hold, and holds that nobody took end nothing', () => {
  const disposed: NativeMedia[] = [];
  const item: KeyedItem = { ...fakeItem('image', 1, disposed), key: 'k' };
  const holds = new ItemHolds();
  holds.release(item);
  holds.take(item);
  holds.take(item);
  holds.release(item);
  assert.equal(disposed.length, 0);
  holds.release(item);
  assert.deepEqual(disposed, [item.media]);
  holds.release(item);
  assert.equal(disposed.length, 1);
});

test('what a prompt made for itself goes with it, and what its items own stays', () => {
  const disposed: NativeMedia[] = [];
  const make = () => fakeItem('audio', 1, disposed);
  const short: KeyedItem = { ...make(), paddedMedia: make().media, key: 'short' };
  const clip: KeyedItem = { ...make(), audio: make(), key: 'clip' };
  const window = make().media;
  const inPrompt = [
    { ...short, media: window },
    { ...short, media: short.paddedMedia! },
    clip,
    { ...clip.audio!, key: 'clip/audio' },
  ];
  const media = inPrompt.map((item) => ({ item, runs: [], isInterleavedWithAudio: false }));
  const numTokensByModality = { image: 0, video: 0, audio: 0 };
  disposeOfPrompt({ promptIds: new Int32Array(0), media, numTokensByModality }, [short, clip]);
  assert.deepEqual(disposed, [window]);
});
