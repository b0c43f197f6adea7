import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import type { MediaResolverOptions } from '../../../lib/media/resolver.js';
import type { DecodedVideo, MediaOptions, MediaPart } from '../../../lib/media/types.js';
import { NEEDS_FFMPEG } from '../support/ffmpeg.js';
import { readFixture } from './support/context.js';
import { rejectsWith } from './support/errors.js';
import { createFakeProcessor } from './support/fake-processor.js';
import { startTestServer } from './support/http-server.js';
import { PNG, OTHER_PNG, setUp, image, fromUrl, fromBytes } from './support/resolver.js';

describe('limits of one item', () => {
  const video = (count: number): MediaPart => ({
    modality: 'video',
    param: 'p',
    source: { kind: 'frames', frames: Array.from({ length: count }, () => fromBytes(PNG).source!) },
  });
  const sound = image({ modality: 'audio', source: { kind: 'bytes', bytes: readFixture('tone.flac') } });
  const refused: [MediaPart, MediaResolverOptions['itemLimits']][] = [
    [fromBytes(PNG), { image: { width: 3 } }],
    [fromBytes(PNG), { image: { height: 3 } }],
    [video(3), { video: { num_frames: 2 } }],
    [video(3), { video: { width: 3 } }],
    [sound, { audio: { length: 100 } }],
  ];

  test('refuse what is larger, with what is allowed', async (t) => {
    for (const [part, itemLimits] of refused) {
      const error = await rejectsWith(setUp(t, {}, { itemLimits }).resolve([part]), 'media_too_large');
      assert.match(error.message, /limit of/);
      assert.equal(error.param, 'p');
    }
  });

  test('let pass what fits, and other modalities', async (t) => {
    const itemLimits = {
      image: { width: 4, height: 4 },
      video: { num_frames: 3, width: 4 },
      audio: { length: 16_000_000 },
    };
    assert.equal((await setUp(t, {}, { itemLimits }).resolve([fromBytes(PNG), video(3), sound])).length, 3);
    assert.equal((await setUp(t, {}, { itemLimits: { video: { width: 1 } } }).resolve([sound])).length, 1);
  });

  test(
    'lower the usual number of frames, and refuse a larger one that is asked for',
    NEEDS_FFMPEG,
    async (t) => {
      const clip: MediaPart = {
        modality: 'video',
        param: 'p',
        source: { kind: 'bytes', bytes: readFixture('plain.mp4') },
      };
      const { resolve, processor } = setUp(t, {}, { itemLimits: { video: { num_frames: 2 } } });
      await resolve([clip]);
      assert.equal((processor.processed[0]?.media as DecodedVideo).frames.length, 2);
      const asked = { mediaIoKwargs: { video: { num_frames: 4 } } };
      await rejectsWith(resolve([clip], asked), 'media_too_large');
    },
  );
});

describe('limits over all', () => {
  test('the media of one request share a fetch deadline, each request has its own', async (t) => {
    const server = await startTestServer(t, (_request, response) => setTimeout(() => response.end(PNG), 120));
    const { resolve } = setUp(t, { imageFetchTimeoutMs: 300 });
    const parts = (numParts: number): MediaPart[] =>
      Array.from({ length: numParts }, (_, i) => fromUrl(server.url(`/${i}`)));
    assert.equal((await resolve(parts(8))).length, 8);
    await rejectsWith(resolve(parts(40)), 'media_fetch_timeout');
    assert.equal((await resolve(parts(8))).length, 8);
  });

  test('no more media are decoded and preprocessed at once than there are workers', async (t) => {
    const processor = createFakeProcessor();
    let numNow = 0;
    let numMost = 0;
    const process = async (...args: Parameters<typeof processor.process>) => {
      numMost = Math.max(numMost, ++numNow);
      await new Promise((done) => setTimeout(done, 5));
      numNow--;
      return processor.process(...args);
    };
    const { resolve } = setUp(t, {}, { processor: { ...processor, process }, numWorkers: 3 });
    const different = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        sharp({ create: { width: 4, height: 4, channels: 3, background: { r: i, g: 0, b: 0 } } })
          .png()
          .toBuffer(),
      ),
    );
    await Promise.all([
      resolve(different.slice(0, 6).map((png) => fromBytes(png))),
      resolve(
        different.slice(6).map((png) => fromBytes(png)),
        {},
        'b',
      ),
    ]);
    assert.equal(numMost, 3);
  });

  test('bytes in memory and files count against the budget', async (t) => {
    const { resolve } = setUp(t, { maxInFlightBytes: 4 * PNG.length });
    const items = await Promise.all(
      Array.from({ length: 20 }, (_, i) => resolve([fromBytes(PNG)], {}, `tenant ${i}`)),
    );
    assert.equal(items.length, 20);
  });

  test('uuids are ignored where nothing is kept by them', async (t) => {
    const { resolve } = setUp(t, {}, { areUuidsIgnored: true });
    const [[one], [other]] = [
      await resolve([fromBytes(PNG, { uuid: 'u' })]),
      await resolve([fromBytes(OTHER_PNG, { uuid: 'u' })]),
    ];
    assert.notEqual(one?.key, other?.key);
    await rejectsWith(resolve([image({ uuid: 'u' })]), 'media_cache_miss');
  });

  test('options of another modality leave keys as they are', async (t) => {
    const { resolve } = setUp(t);
    const keyWith = async (request: MediaOptions): Promise<string | undefined> =>
      (await resolve([fromBytes(PNG)], request))[0]?.key;
    const plain = await keyWith({});
    for (const request of [
      { mmProcessorKwargs: { fps: 2, max_frames: 4, use_audio_in_video: false } },
      { mmProcessorKwargs: { min_pixels: null, videos_kwargs: { max_pixels: 100 } } },
      { mediaIoKwargs: { video: { num_frames: 4 } } },
    ]) {
      assert.equal(await keyWith(request), plain, JSON.stringify(request));
    }
    assert.notEqual(await keyWith({ mmProcessorKwargs: { max_pixels: 100 } }), plain);
    assert.notEqual(await keyWith({ mmProcessorKwargs: { unheard_of: 1 } }), plain);
  });
});
