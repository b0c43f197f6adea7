import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DecodedVideo } from '../../../lib/media/types.js';
import type { NativeMedia } from '../../../lib/native/addon.js';
import { withOwnSound } from '../../../lib/processors/clip-sound.js';
import { fakeItem } from '../media/support/fake-processor.js';

const CLIP: DecodedVideo = {
  kind: 'video',
  frames: [new Uint8Array(3)],
  width: 1,
  height: 1,
  sampledFps: 1,
  metadata: { fps: 1, totalNumFrames: 1, duration: 1, framesIndices: [0] },
};
const SOUND = { kind: 'audio', samples: new Float32Array(1), samplingRate: 16_000 } as const;

test('a clip is one item with its sound, and by itself without one', async () => {
  const [clip, sound] = [fakeItem('video', 10), fakeItem('audio', 5)];
  const process = () => Promise.resolve(sound);
  assert.deepEqual(await withOwnSound(clip, { ...CLIP, audio: SOUND }, process), {
    ...clip,
    audio: sound,
    sizeBytes: 15,
  });
  assert.equal(await withOwnSound(clip, CLIP, process), clip);
});

test('a sound that fails takes the clip with it', async () => {
  const disposed: NativeMedia[] = [];
  const clip = fakeItem('video', 10, disposed);
  const fail = () => Promise.reject(new Error('too short'));
  await assert.rejects(withOwnSound(clip, { ...CLIP, audio: SOUND }, fail), /too short/);
  assert.deepEqual(disposed, [clip.media]);
});
