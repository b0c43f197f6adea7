import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { decodeFrameList } from '../../../lib/media/frame-list.js';
import { decodeImage } from '../../../lib/media/image.js';
import type { VideoSettings } from '../../../lib/media/media-settings.js';
import type { DecodedVideo, MediaPolicy } from '../../../lib/media/types.js';
import { decodeVideo } from '../../../lib/media/video.js';
import { FAMILIES, goldenCases } from '../support/goldens.js';
import { NEEDS_FFMPEG } from '../support/ffmpeg.js';
import { makeAnimatedPng } from './support/clips.js';
import { contextWith, QWEN_SAMPLING, readFixture } from './support/context.js';
import { rejectsWith } from './support/errors.js';
import { hostileCases, maxDifference, readHostile } from './support/goldens.js';

const SETTINGS: VideoSettings = { background: [255, 255, 255], useAudioInVideo: false };

function decode(
  bytes: Uint8Array,
  settings: Partial<VideoSettings> = {},
  overrides: Partial<MediaPolicy> = {},
): Promise<DecodedVideo> {
  return decodeVideo(bytes, { ...SETTINGS, ...settings }, QWEN_SAMPLING, contextWith(overrides));
}

describe('goldens of videos', NEEDS_FFMPEG, () => {
  for (const golden of FAMILIES.flatMap(goldenCases)) {
    const [clip] = readdirSync(golden.folder).filter((name) => name.endsWith('.mp4'));
    if (clip === undefined) continue;
    test(`${golden.family} ${golden.name}: frames, rate and sound`, async () => {
      const kwargs = golden.request.mm_processor_kwargs ?? {};
      const useAudioInVideo = kwargs.use_audio_in_video === true;
      const video = await decode(readFileSync(join(golden.folder, clip)), {
        fps: kwargs.fps,
        useAudioInVideo,
      });
      const [expected] = golden.expected.videos;
      assert.deepEqual(video.metadata.framesIndices, expected.frame_indices);
      assert.equal(video.metadata.totalNumFrames, expected.frames_given);
      assert.equal(video.metadata.fps, expected.source_fps);
      assert.ok(Math.abs(video.sampledFps - expected.sampled_fps) < 1e-9);
      for (const [i, name] of (expected.decoded_frames_used as string[]).entries()) {
        const stored = await sharp(readFileSync(join(golden.folder, name)))
          .removeAlpha()
          .raw()
          .toBuffer();
        assert.ok(maxDifference(video.frames[i] as Uint8Array, stored) <= 3, name);
      }
      assert.equal(
        video.audio?.samples.length,
        useAudioInVideo ? golden.expected.audios[0].samples : undefined,
      );
    });
  }
});

describe('goldens of hostile videos', NEEDS_FFMPEG, () => {
  for (const hostile of hostileCases('video')) {
    test(`${hostile.file}: ${hostile.why}`, async () => {
      const work = decode(readHostile(hostile.file));
      if (hostile.expect === 'accept') assert.equal((await work).frames.length, 4);
      else await rejectsWith(work, 'invalid_video');
    });
  }
});

describe('containers', NEEDS_FFMPEG, () => {
  for (const name of ['plain.mp4', 'clip.webm', 'clip.mkv']) {
    test(`${name} gives its frames`, async () => {
      const video = await decode(readFixture(name));
      assert.deepEqual([video.width, video.height], [64, 48]);
      assert.deepEqual(video.metadata.framesIndices, [0, 6, 13, 19]);
      assert.ok(video.frames.every((frame) => frame.length === 64 * 48 * 3));
    });
  }

  test('an animated PNG is a video', async () => {
    assert.equal((await decode(readFixture('clip.apng'), { numFrames: 'all' })).frames.length, 5);
  });

  test('its rate follows from how long its frames are shown; as a picture it is its first frame', async () => {
    const bytes = makeAnimatedPng([1, 1, 2, 6]);
    const video = await decode(bytes, { numFrames: 'all' });
    assert.deepEqual([video.metadata.fps, video.metadata.duration, video.frames.length], [4, 1, 4]);
    assert.deepEqual(
      video.frames.map((frame) => frame[0]),
      [0, 40, 80, 120],
    );
    const image = await decodeImage(bytes, { background: [255, 255, 255] }, contextWith());
    assert.deepEqual([image.width, image.height, image.data[0]], [8, 6, 0]);
  });

  test('rotation is applied', async () => {
    const { width, height } = await decode(readFixture('rotated.mp4'));
    assert.deepEqual([width, height], [48, 64]);
  });

  test('a selected frame is the same picture as among all frames', async () => {
    const all = await decode(readFixture('plain.mp4'), { numFrames: 'all' });
    const some = await decode(readFixture('plain.mp4'), { numFrames: 3 });
    assert.deepEqual(some.metadata.framesIndices, [0, 9, 19]);
    assert.deepEqual(
      some.frames,
      [0, 9, 19].map((index) => all.frames[index]),
    );
  });

  test('sound comes only where it is asked for and exists', async () => {
    assert.equal((await decode(readFixture('sound.mp4'))).audio, undefined);
    assert.equal(
      (await decode(readFixture('sound.mp4'), { useAudioInVideo: true })).audio?.samplingRate,
      22050,
    );
    assert.equal((await decode(readFixture('plain.mp4'), { useAudioInVideo: true })).audio, undefined);
  });
});

describe('limits', NEEDS_FFMPEG, () => {
  const clip = readFixture('plain.mp4');

  test('frames, pixels, seconds and memory', async () => {
    await rejectsWith(decode(clip, { numFrames: 'all' }, { maxVideoFrames: 19 }), 'media_too_large');
    await rejectsWith(decode(clip, {}, { maxImagePixels: 64 * 48 - 1 }), 'media_too_large');
    await rejectsWith(decode(clip, {}, { maxVideoSeconds: 1.9 }), 'media_too_large');
    await rejectsWith(decode(clip, {}, { maxInFlightBytes: 50_000 }), 'media_too_large');
    const loud = { maxAudioSeconds: 0.1 };
    await rejectsWith(decode(readFixture('sound.mp4'), { useAudioInVideo: true }, loud), 'media_too_large');
  });

  test('memory for pictures and sound is reserved at once', async () => {
    const context = contextWith();
    await decodeVideo(
      readFixture('sound.mp4'),
      { ...SETTINGS, useAudioInVideo: true },
      QWEN_SAMPLING,
      context,
    );
    assert.equal(context.reserved.length, 1);
    assert.ok((context.reserved[0] as number) >= 4 * 64 * 48 * 3 + 0.5 * 22050 * 4);
  });

  test('a caller that leaves ends ffmpeg, and no file stays behind', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sensorium-test-'));
    const before = process.env.TMPDIR;
    process.env.TMPDIR = folder;
    t.after(() => {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
      rmSync(folder, { recursive: true });
    });
    const leaving = new AbortController();
    const context = { ...contextWith(), signal: leaving.signal };
    const work = decodeVideo(clip, SETTINGS, QWEN_SAMPLING, context);
    setTimeout(() => leaving.abort(), 20);
    await rejectsWith(work, 'request_cancelled');
    assert.deepEqual(readdirSync(folder), []);
    await decode(clip);
    await rejectsWith(decode(clip.subarray(0, 1000)), 'invalid_video');
    assert.deepEqual(readdirSync(folder), []);
  });
});

describe('without ffmpeg', () => {
  const missing = { ffmpegPath: 'no-such-ffmpeg', ffprobePath: 'no-such-ffprobe' };
  const pages = Buffer.concat([10, 60, 110, 160, 210].map((level) => Buffer.alloc(6 * 4 * 3, level)));
  const animation = (): Sharp => sharp(pages, { raw: { width: 6, height: 20, channels: 3, pageHeight: 4 } });

  test('an mp4 says what to install', async () => {
    const error = await rejectsWith(decode(readFixture('plain.mp4'), {}, missing), 'ffmpeg_missing');
    assert.match(error.message, /install/);
  });

  test('animated GIF and WebP are videos at the rate of their delays', async () => {
    const encoded = [
      await animation()
        .gif({ delay: [200, 200, 200, 200, 200] })
        .toBuffer(),
      await animation()
        .webp({ lossless: true, delay: [200, 200, 200, 200, 200] })
        .toBuffer(),
    ];
    for (const bytes of encoded) {
      const video = await decode(bytes, { numFrames: 'all' }, missing);
      assert.deepEqual(
        video.frames.map((frame) => frame[0]),
        [10, 60, 110, 160, 210],
      );
      assert.deepEqual([video.width, video.height, video.metadata.fps], [6, 4, 5]);
      assert.deepEqual((await decode(bytes, { fps: 2 }, missing)).metadata.framesIndices, [0, 1, 3, 4]);
    }
  });

  test('as pictures they are their first frame', async () => {
    for (const bytes of [
      await animation().gif().toBuffer(),
      await animation().webp({ lossless: true }).toBuffer(),
    ]) {
      const image = await decodeImage(bytes, { background: [255, 255, 255] }, contextWith(missing));
      assert.deepEqual([image.width, image.height, image.data[0]], [6, 4, 10]);
    }
  });

  test('unequal delays give the mean rate', async () => {
    const bytes = await animation()
      .gif({ delay: [100, 100, 200, 500, 100] })
      .toBuffer();
    const video = await decode(bytes, { numFrames: 'all' }, missing);
    assert.deepEqual([video.metadata.fps, video.metadata.duration], [5, 1]);
  });

  test('transparent pixels of an animation show the background, as those of pictures do', async () => {
    const raw = { width: 2, height: 2, channels: 4, pageHeight: 1 } as const;
    const rgba = Buffer.from([200, 100, 50, 0, 200, 100, 50, 128, 10, 20, 30, 255, 200, 100, 50, 128]);
    const webp = await sharp(rgba, { raw }).webp({ lossless: true, exact: true }).toBuffer();
    const frames = async (background?: [number, number, number]): Promise<number[][]> => {
      const settings = { ...SETTINGS, background, numFrames: 'all' as const };
      const video = await decodeVideo(webp, settings, QWEN_SAMPLING, contextWith());
      return video.frames.map((frame) => [...frame]);
    };
    assert.deepEqual(await frames([0, 0, 255]), [
      [0, 0, 255, 100, 50, 152],
      [10, 20, 30, 100, 50, 152],
    ]);
    assert.deepEqual((await frames())[1], [10, 20, 30, 200, 100, 50]);
  });

  test('a damaged animation is an invalid video, not an invalid image', async () => {
    for (const bytes of [await animation().gif().toBuffer(), await animation().webp().toBuffer()]) {
      await rejectsWith(decode(bytes.subarray(0, 14), {}, missing), 'invalid_video');
    }
  });

  test('a still picture of those formats is a clip of one frame', async () => {
    const still = await sharp(pages, { raw: { width: 6, height: 20, channels: 3 } })
      .gif()
      .toBuffer();
    assert.equal((await decode(still, {}, missing)).frames.length, 1);
  });

  test('an animation that needs too much memory is refused', async () => {
    const gif = await animation().gif().toBuffer();
    await rejectsWith(decode(gif, {}, { ...missing, maxInFlightBytes: 700 }), 'media_too_large');
  });

  test('other formats are refused', async () => {
    await rejectsWith(decode(readHostile('files/ok.jpg'), {}, missing), 'media_format_refused');
    await rejectsWith(
      decode(Buffer.from('#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n'), {}, missing),
      'invalid_video',
    );
    await rejectsWith(
      decode(Buffer.from("ffconcat version 1.0\nfile '/etc/hostname'\n"), {}, missing),
      'invalid_video',
    );
  });
});

describe('lists of pictures', () => {
  const png = (level: number, width = 4): Promise<Buffer> =>
    sharp({ create: { width, height: 4, channels: 3, background: { r: level, g: level, b: level } } })
      .png()
      .toBuffer();
  const list = (
    pictures: Uint8Array[],
    fps?: number,
    settings: Partial<VideoSettings> = {},
    policy = {},
  ): Promise<DecodedVideo> =>
    decodeFrameList({ pictures, fps }, { ...SETTINGS, ...settings }, QWEN_SAMPLING, contextWith(policy));

  test('are taken as sampled already, at the rate of the request, of the list, or the usual one', async () => {
    const pictures = [await png(1), await png(2), await png(3)];
    const video = await list(pictures, 1.5);
    assert.deepEqual(
      video.frames.map((frame) => frame[0]),
      [1, 2, 3],
    );
    assert.equal(video.sampledFps, 1.5);
    assert.equal((await list(pictures, 1.5, { fps: 4 })).sampledFps, 4);
    assert.equal((await list(pictures)).sampledFps, 2);
  });

  test('must have one size, some frames and not too many', async () => {
    await rejectsWith(list([await png(1), await png(2, 5)]), 'invalid_video');
    await rejectsWith(list([]), 'invalid_video');
    await rejectsWith(list([await png(1), await png(2)], 1, {}, { maxVideoFrames: 1 }), 'invalid_video');
    await rejectsWith(list([await png(1), Buffer.from('broken')]), 'invalid_video');
  });
});
