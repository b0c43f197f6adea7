import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DecodedVideo } from '../../../lib/media/types.js';
import { decodeVideo } from '../../../lib/media/video.js';
import type { VideoSettings } from '../../../lib/media/video-settings.js';
import { NEEDS_FFMPEG } from '../support/ffmpeg.js';
import { makeClip, makeHiddenFrameClip, packetsOf, withBrokenFrames, type Packet } from './support/clips.js';
import { contextWith, QWEN_SAMPLING } from './support/context.js';
import { rejectsWith } from './support/errors.js';

const decode = (bytes: Uint8Array, settings: Partial<VideoSettings>): Promise<DecodedVideo> =>
  decodeVideo(bytes, { useAudioInVideo: false, ...settings }, QWEN_SAMPLING, contextWith());
const eight = (bytes: Uint8Array, hasFrameRecovery: boolean): Promise<DecodedVideo> =>
  decode(bytes, { numFrames: 8, hasFrameRecovery });
const indicesOf = async (video: Promise<DecodedVideo>): Promise<number[]> => {
  const { frames, metadata } = await video;
  assert.equal(frames.length, metadata.framesIndices.length);
  return metadata.framesIndices;
};

describe('a clip with broken frames', NEEDS_FFMPEG, () => {
  const options = { numFrames: 26 };

  test('loses them without recovery; what follows keeps its own index and picture', async () => {
    const clip = makeClip(options);
    const all = await decode(clip, { numFrames: 'all' });
    assert.deepEqual(await indicesOf(eight(clip, false)), [0, 3, 7, 10, 14, 17, 21, 25]);
    const video = await eight(withBrokenFrames(clip, [17]), false);
    assert.deepEqual(video.metadata.framesIndices, [0, 3, 7, 10, 14, 21, 25]);
    assert.deepEqual(
      video.frames,
      [0, 3, 7, 10, 14, 21, 25].map((index) => all.frames[index]),
    );
    assert.ok(Math.abs(video.sampledFps - (7 / 26) * 10) < 1e-9);
  });

  test('has the next frame stand in, before the next target', async () => {
    const clip = makeClip(options);
    const all = await decode(clip, { numFrames: 'all' });
    const video = await eight(withBrokenFrames(clip, [17]), true);
    assert.deepEqual(video.metadata.framesIndices, [0, 3, 7, 10, 14, 18, 21, 25]);
    assert.deepEqual(video.frames[5], all.frames[18]);
    assert.deepEqual(
      await indicesOf(eight(withBrokenFrames(clip, [0, 1, 17, 18, 19, 20]), true)),
      [2, 3, 7, 10, 14, 21, 25],
    );
  });

  test('has an earlier frame stand in for the last', async () => {
    const clip = makeClip(options);
    const all = await decode(clip, { numFrames: 'all' });
    const video = await eight(withBrokenFrames(clip, [24, 25]), true);
    assert.deepEqual(video.metadata.framesIndices, [0, 3, 7, 10, 14, 17, 21, 23]);
    assert.deepEqual(video.frames[7], all.frames[23]);
    assert.equal((await eight(withBrokenFrames(clip, [24, 25]), false)).frames.length, 7);
  });

  test('repeats the last good target where no other frame is left', async () => {
    const clip = makeClip(options);
    const rest = [22, 23, 24, 25];
    assert.deepEqual(
      await indicesOf(eight(withBrokenFrames(clip, rest), true)),
      [0, 3, 7, 10, 14, 17, 21, 21],
    );
  });

  test('keeps all that can be read where all are asked for', async () => {
    const clip = withBrokenFrames(makeClip({ numFrames: 5 }), [2]);
    assert.deepEqual(await indicesOf(decode(clip, { numFrames: 'all' })), [0, 1, 3, 4]);
    const recovered = decode(clip, { numFrames: 'all', hasFrameRecovery: true });
    assert.deepEqual(await indicesOf(recovered), [0, 1, 3, 4]);
  });

  test('is refused where nothing can be read', async () => {
    const clip = makeClip({ numFrames: 6 });
    for (const hasFrameRecovery of [false, true]) {
      const work = decode(withBrokenFrames(clip, [0, 1, 2, 3, 4, 5]), { hasFrameRecovery });
      await rejectsWith(work, 'invalid_video');
    }
  });

  test('in a container of another kind', async () => {
    for (const extension of ['mkv', 'avi']) {
      const clip = makeClip({ ...options, extension });
      const broken = withBrokenFrames(clip, [17], 24);
      const { metadata, frames } = await eight(broken, true);
      assert.equal(frames.length, 8, extension);
      assert.ok(metadata.framesIndices.includes(18), extension);
    }
  });
});

describe('a clip whose end is missing', NEEDS_FFMPEG, () => {
  const clip = (): Buffer => makeClip({ numFrames: 26, more: ['-movflags', '+faststart'] });
  const cutAt = (bytes: Buffer, frame: number): Buffer => {
    const { offset, length } = packetsOf(bytes)[frame] as Packet;
    return bytes.subarray(0, offset + Math.floor(length / 2));
  };

  test('is sampled as far as it goes, and with recovery has its last target', async () => {
    const whole = clip();
    const bytes = cutAt(whole, 20);
    const video = await eight(bytes, true);
    assert.equal(video.frames.length, 8);
    assert.ok((video.metadata.framesIndices.at(-1) as number) >= 19);
    const all = await decode(whole, { numFrames: 'all' });
    assert.deepEqual(video.frames[0], all.frames[0]);
    const without = await eight(bytes, false);
    assert.ok(without.frames.length >= 7);
    assert.ok(without.metadata.framesIndices.every((index) => index <= 20));
  });
});

describe('frames between frames', NEEDS_FFMPEG, () => {
  test('predicted pictures keep their indices, with and without recovery', async () => {
    const clip = makeClip({ numFrames: 26, codec: 'mpeg4', more: ['-bf', '2', '-g', '12'] });
    const expected = [0, 3, 7, 10, 14, 17, 21, 25];
    for (const hasFrameRecovery of [false, true]) {
      assert.deepEqual(await indicesOf(eight(clip, hasFrameRecovery)), expected);
    }
  });

  test('hidden reference pictures are no frames', async () => {
    const clip = makeHiddenFrameClip(60);
    const { metadata, frames } = await decode(clip, { numFrames: 'all' });
    assert.equal(metadata.totalNumFrames, 60);
    assert.equal(frames.length, 60);
  });
});
