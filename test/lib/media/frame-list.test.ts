import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { decodeFrameList, type FrameList } from '../../../lib/media/frame-list.js';
import { ProcessedItemCache } from '../../../lib/media/cache.js';
import { MediaResolver } from '../../../lib/media/resolver.js';
import type { DecodedVideo, FrameListMetadata, MediaOptions } from '../../../lib/media/types.js';
import type { VideoSettings } from '../../../lib/media/video-settings.js';
import { contextWith, policyWith, QWEN_SAMPLING } from './support/context.js';
import { rejectsWith } from './support/errors.js';
import { createFakeProcessor } from './support/fake-processor.js';

const jpeg = (level: number, width = 4): Promise<Buffer> =>
  sharp({ create: { width, height: 4, channels: 3, background: { r: level, g: level, b: level } } })
    .jpeg()
    .toBuffer();
const jpegs = (count: number): Promise<Buffer[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => jpeg(i * 20)));
const decode = (list: FrameList, settings: Partial<VideoSettings> = {}): Promise<DecodedVideo> =>
  decodeFrameList(list, { useAudioInVideo: false, ...settings }, QWEN_SAMPLING, contextWith());

describe('metadata of a list of frames', () => {
  const describeList = async (
    metadata: FrameListMetadata,
    settings: Partial<VideoSettings> = {},
  ): Promise<[DecodedVideo['metadata'], number]> => {
    const video = await decode({ pictures: await jpegs(4), metadata }, settings);
    return [video.metadata, video.sampledFps];
  };

  test('tell when its frames are shown', async () => {
    assert.deepEqual(await describeList({ fps: 4 }), [
      { fps: 4, totalNumFrames: 4, duration: 1, framesIndices: [0, 1, 2, 3] },
      4,
    ]);
    const framesIndices = [0, 15, 30, 45];
    assert.deepEqual(await describeList({ fps: 30, framesIndices, totalNumFrames: 60, duration: 2 }), [
      { fps: 30, totalNumFrames: 60, duration: 2, framesIndices },
      2,
    ]);
    assert.equal((await describeList({ fps: 30, framesIndices }))[1], 2);
    assert.equal((await describeList({ fps: 30, framesIndices, duration: 4 }))[1], 1);
  });

  test('its own come before the options of the request', async () => {
    const options = { frameList: { framesIndices: [1, 2, 3, 4], totalNumFrames: 10, duration: 5 }, fps: 2 };
    const [metadata, sampledFps] = await describeList({}, options);
    assert.deepEqual(metadata, { fps: 2, totalNumFrames: 10, duration: 5, framesIndices: [1, 2, 3, 4] });
    assert.equal(sampledFps, 0.8);
    assert.equal((await describeList({ fps: 8, totalNumFrames: 4 }, options))[0].fps, 8);
  });

  test('that do not fit are refused', async () => {
    const bad: unknown[] = [
      { framesIndices: [0, 1, 2] },
      { framesIndices: [0, 1, 2, 3, 4] },
      { framesIndices: [0, 1, 2, 2.5] },
      { framesIndices: [0, 1, 2, -3] },
      { framesIndices: '0123' },
      { totalNumFrames: 3 },
      { totalNumFrames: NaN },
      { duration: -1 },
      { duration: Infinity },
      { fps: 0 },
      { fps: NaN },
      { fps: 1e9 },
      { fps: '30' },
    ];
    for (const metadata of bad)
      await rejectsWith(describeList(metadata as FrameListMetadata), 'invalid_value');
  });
});

describe('frames of a list', () => {
  test('are all kept, or the first of them where a number is asked for', async () => {
    const pictures = await jpegs(40);
    assert.equal((await decode({ pictures })).frames.length, 40);
    assert.equal((await decode({ pictures }, { numFrames: 'all' })).frames.length, 40);
    const first = await decode({ pictures, fps: 2 }, { numFrames: 3 });
    assert.deepEqual([first.metadata.framesIndices, first.sampledFps], [[0, 1, 2], 2]);
  });

  test('are sampled where the processor is asked to', async () => {
    const pictures = await jpegs(12);
    const video = await decode({ pictures, metadata: { fps: 4 } }, { resampling: { fps: 2 } });
    assert.deepEqual(video.metadata.framesIndices, [0, 2, 4, 7, 9, 11]);
    assert.equal(video.sampledFps, 2);
  });

  test('at fault are named', async () => {
    const pictures = await jpegs(4);
    const broken = pictures.with(2, (pictures[2] as Buffer).subarray(0, 40));
    assert.match((await rejectsWith(decode({ pictures: broken }), 'invalid_video')).message, /frame 2/i);
    const noPicture = pictures.with(1, Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'));
    assert.match((await rejectsWith(decode({ pictures: noPicture }), 'invalid_video')).message, /frame 1/i);
    await rejectsWith(decode({ pictures: pictures.with(3, await jpeg(1, 5)) }), 'invalid_video');
  });
});

describe('data:video/jpeg', () => {
  const resolve = async (url: string, options: MediaOptions = {}): Promise<DecodedVideo> => {
    const processor = createFakeProcessor();
    const cache = new ProcessedItemCache(1 << 20);
    const resolver = new MediaResolver({ policy: policyWith(), processor, cache, modelId: 'm' });
    try {
      const part = { modality: 'video', param: 'p', source: { kind: 'url', url } } as const;
      await resolver.withItems([part], options, { tenant: '' }, () => undefined);
      return processor.processed[0]?.media as DecodedVideo;
    } finally {
      await resolver.close();
    }
  };
  const url = (frames: readonly Buffer[]): string =>
    `data:video/jpeg;base64,${frames.map((frame) => frame.toString('base64')).join(',')}`;
  const io = (video: Record<string, unknown>): MediaOptions => ({ mediaIoKwargs: { video } });

  test('keeps all frames, at one a second', async () => {
    const video = await resolve(url(await jpegs(40)));
    assert.deepEqual([video.frames.length, video.metadata.fps, video.sampledFps], [40, 1, 1]);
  });

  test('takes its metadata from the options of reading', async () => {
    const frames = url(await jpegs(4));
    const { metadata } = await resolve(
      frames,
      io({ fps: 30, frames_indices: [0, 10, 20, 30], total_num_frames: 60, duration: 2 }),
    );
    assert.deepEqual(metadata, { fps: 30, framesIndices: [0, 10, 20, 30], totalNumFrames: 60, duration: 2 });
    assert.equal((await resolve(frames, io({ num_frames: 2 }))).frames.length, 2);
    assert.equal((await resolve(frames, io({ num_frames: -1 }))).frames.length, 4);
    await rejectsWith(resolve(frames, io({ num_frames: 0 })), 'invalid_value');
    await rejectsWith(resolve(frames, io({ frames_indices: [0, 1] })), 'invalid_value');
    await rejectsWith(resolve(frames, io({ total_num_frames: 3 })), 'invalid_value');
  });

  test('names the frame that is broken, whatever is wrong with it', async () => {
    const frames = await jpegs(4);
    const cases = ['!!!!', '', Buffer.from('no picture').toString('base64')];
    for (const piece of cases) {
      const pieces = frames.map((frame) => frame.toString('base64')).with(2, piece);
      const error = await rejectsWith(resolve(`data:video/jpeg;base64,${pieces.join(',')}`), 'invalid_video');
      assert.match(error.message, /frame 2/i);
    }
  });

  test('of too many frames is refused before one is decoded, in flat memory', async () => {
    const frame = (await jpeg(9, 1)).toString('base64');
    // One flat string, as a parsed body holds it.
    const text = Buffer.from(`data:video/jpeg;base64,${`${frame},`.repeat(100_000)}${frame}`).toString(
      'latin1',
    );
    const before = process.memoryUsage().rss;
    await rejectsWith(resolve(text), 'invalid_video');
    assert.ok(process.memoryUsage().rss - before < 50 * 1024 * 1024);
  });
});
