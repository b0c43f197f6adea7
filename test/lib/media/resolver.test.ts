import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SensoriumError } from '../../../lib/errors.js';
import { ProcessedItemCache } from '../../../lib/media/cache.js';
import { MediaResolver } from '../../../lib/media/resolver.js';
import type { DecodedImage, DecodedVideo, MediaOptions, MediaPart } from '../../../lib/media/types.js';
import type { NativeMedia } from '../../../lib/native/addon.js';
import type { KeyedItem } from '../../../lib/processors/types.js';
import { NEEDS_FFMPEG } from '../support/ffmpeg.js';
import { policyWith, readFixture } from './support/context.js';
import { rejectsWith } from './support/errors.js';
import { createFakeProcessor, fakeItem } from './support/fake-processor.js';
import { startTestServer } from './support/http-server.js';
import { PNG, OTHER_PNG, setUp, image, fromUrl, fromBytes, dataUrl } from './support/resolver.js';

describe('sources', () => {
  test('of every kind and modality arrive in the order of the parts', async (t) => {
    const server = await startTestServer(t, (_request, response) => response.end(PNG));
    const { resolve, processor } = setUp(t);
    const decoded: DecodedImage = { kind: 'image', data: new Uint8Array(12), width: 2, height: 2 };
    const items = await resolve([
      fromUrl(server.url('/x')),
      image({ modality: 'audio', source: { kind: 'bytes', bytes: readFixture('tone.flac') } }),
      fromUrl(dataUrl(OTHER_PNG)),
      image({ source: { kind: 'decoded', media: decoded } }),
      image({
        modality: 'video',
        source: { kind: 'frames', frames: [fromBytes(PNG).source!, fromUrl(dataUrl(PNG)).source!], fps: 4 },
      }),
      image({
        modality: 'video',
        source: { kind: 'url', url: `${dataUrl(PNG, 'video/jpeg')},${OTHER_PNG.toString('base64')}` },
      }),
    ]);
    assert.deepEqual(
      items.map(({ modality }) => modality),
      ['image', 'audio', 'image', 'image', 'video', 'video'],
    );
    assert.equal(new Set(items.map(({ key }) => key)).size, 6);
    const videos = processor.processed
      .map(({ media }) => media)
      .filter((media): media is DecodedVideo => media.kind === 'video');
    assert.deepEqual(videos.map(({ sampledFps }) => sampledFps).sort(), [1, 4]);
    assert.ok(videos.every(({ frames }) => frames.length === 2));
  });

  test('a decoded object that does not fit its own size is refused', async (t) => {
    const { resolve } = setUp(t);
    const bad: [MediaPart['source'], string][] = [
      [
        { kind: 'decoded', media: { kind: 'image', data: new Uint8Array(11), width: 2, height: 2 } },
        'invalid_image',
      ],
      [
        { kind: 'decoded', media: { kind: 'image', data: new Uint8Array(0), width: 0, height: 2 } },
        'invalid_image',
      ],
      [
        { kind: 'decoded', media: { kind: 'image', data: new Uint8Array(0), width: 1e9, height: 1e9 } },
        'media_too_large',
      ],
      [
        { kind: 'decoded', media: { kind: 'audio', samples: new Float32Array(4), samplingRate: 8000 } },
        'invalid_type',
      ],
    ];
    for (const [source, code] of bad) await rejectsWith(resolve([image({ source })]), code as never);
    const metadata = { fps: 1, totalNumFrames: 1, duration: 1, framesIndices: [0] };
    const clip: DecodedVideo = {
      kind: 'video',
      frames: [new Uint8Array(12)],
      width: 2,
      height: 2,
      sampledFps: 1,
      metadata,
    };
    const video = (changes: Partial<Record<keyof DecodedVideo, unknown>>): Promise<KeyedItem[]> => {
      const media = { ...clip, ...changes } as DecodedVideo;
      return resolve([image({ modality: 'video', source: { kind: 'decoded', media } })]);
    };
    assert.equal((await video({})).length, 1);
    for (const changes of [
      { frames: [] },
      { frames: [new Uint8Array(11)] },
      { frames: 'x' },
      { sampledFps: NaN },
      { metadata: undefined },
      { metadata: { ...metadata, framesIndices: [] } },
      { metadata: { ...metadata, framesIndices: [0, 1] } },
      { metadata: { ...metadata, framesIndices: ['0'] } },
      { metadata: { ...metadata, framesIndices: [-1] } },
      { metadata: { ...metadata, framesIndices: [NaN] } },
      { width: 3 },
    ]) {
      await rejectsWith(video(changes), 'invalid_video');
    }
    await rejectsWith(video({ audio: { kind: 'audio', samples: [], samplingRate: 1 } }), 'invalid_audio');
    const audio = (samples: Float32Array, samplingRate: number): Promise<KeyedItem[]> =>
      resolve([
        image({
          modality: 'audio',
          source: { kind: 'decoded', media: { kind: 'audio', samples, samplingRate } },
        }),
      ]);
    await rejectsWith(audio(new Float32Array(0), 8000), 'invalid_audio');
    await rejectsWith(audio(new Float32Array(4), NaN), 'invalid_audio');
    await rejectsWith(audio(new Float32Array(2_000_000), 1000), 'media_too_large');
  });

  test('frames of a decoded clip lie at its sampled rate where their indices are not told', async (t) => {
    const { resolve, processor } = setUp(t);
    const clip = {
      kind: 'video',
      frames: [new Uint8Array(12), new Uint8Array(12), new Uint8Array(12)],
      width: 2,
      height: 2,
      sampledFps: 2,
      metadata: { fps: 30 },
    } as unknown as DecodedVideo;
    await resolve([image({ modality: 'video', source: { kind: 'decoded', media: clip } })]);
    const { metadata } = processor.processed[0]?.media as DecodedVideo;
    assert.deepEqual(metadata, { fps: 30, framesIndices: [0, 15, 30] });
  });

  test('frames may be pixels, beside encoded pictures', async (t) => {
    const { resolve, processor } = setUp(t);
    const pixels = { kind: 'image', data: new Uint8Array(48).fill(7), width: 4, height: 4 } as const;
    const frames = [{ kind: 'bytes', bytes: PNG } as const, { kind: 'decoded', media: pixels } as const];
    const clip = (fps: number): MediaPart =>
      image({ modality: 'video', source: { kind: 'frames', frames, fps } });
    const [one, other] = await resolve([clip(1), clip(2)]);
    assert.notEqual(one?.key, other?.key);
    const [decoded] = processor.processed.map(({ media }) => media as DecodedVideo);
    assert.deepEqual(
      decoded?.frames.map((frame) => frame[0]),
      [255, 7],
    );
    await rejectsWith(resolve([clip(1e9)]), 'invalid_value');
  });

  test('too many frames are refused before one is decoded', async (t) => {
    const { resolve, processor } = setUp(t);
    const url = `data:video/jpeg;base64,${'AAAA,'.repeat(100_000)}`;
    await rejectsWith(resolve([image({ modality: 'video', source: { kind: 'url', url } })]), 'invalid_video');
    const frames = Array.from({ length: 1025 }, () => ({ kind: 'bytes' as const, bytes: PNG }));
    await rejectsWith(
      resolve([image({ modality: 'video', source: { kind: 'frames', frames } })]),
      'invalid_video',
    );
    assert.equal(processor.processed.length, 0);
  });

  test('bytes over the cap are refused', async (t) => {
    const { resolve } = setUp(t, { maxImageBytes: 50 });
    await rejectsWith(resolve([fromBytes(PNG)]), 'media_too_large');
    await rejectsWith(resolve([fromUrl(dataUrl(PNG))]), 'media_too_large');
  });
});

describe('caching', () => {
  test('equal content is processed once, whatever way it came', async (t) => {
    const { resolve, processor } = setUp(t);
    const [one] = await resolve([fromBytes(PNG)]);
    const [other, same] = await resolve([fromUrl(dataUrl(PNG)), fromBytes(PNG)]);
    assert.equal(one?.key, other?.key);
    assert.equal(one?.key, same?.key);
    assert.equal(processor.processed.length, 1);
  });

  test('a known uuid is not fetched again, even where its URL is gone', async (t) => {
    const server = await startTestServer(t, (_request, response) => response.end(PNG));
    const { resolve, cache } = setUp(t);
    const [first] = await resolve([fromUrl(server.url('/x'), { uuid: 'u' })]);
    const [again] = await resolve([fromUrl(server.url('/gone'), { uuid: 'u' })]);
    const [alone] = await resolve([image({ uuid: 'u' })]);
    assert.equal(first, again);
    assert.equal(first, alone);
    assert.deepEqual(server.hits, ['/x']);
    assert.equal(cache.stats().hits, 2);
  });

  test('an unknown uuid without data is a miss that names it', async (t) => {
    const { resolve } = setUp(t);
    const parts = [
      fromBytes(PNG),
      image({ modality: 'audio', uuid: 'x' }),
      image({ uuid: 'gone', param: 'messages[0].content[2]' }),
    ];
    const error = await rejectsWith(resolve(parts.slice(0, 1).concat(parts.slice(2))), 'media_cache_miss');
    assert.equal(error.status, 404);
    assert.deepEqual(error.details, { index: 1, uuid: 'gone' });
    assert.equal(error.param, 'messages[0].content[2]');
  });

  test('tenants, modalities and options do not see each other', async (t) => {
    const { resolve, processor } = setUp(t);
    const named = fromBytes(PNG, { uuid: 'u' });
    const [mine] = await resolve([named], {}, 'a');
    await rejectsWith(resolve([image({ uuid: 'u' })], {}, 'b'), 'media_cache_miss');
    await rejectsWith(resolve([image({ uuid: 'u', modality: 'audio' })], {}, 'a'), 'media_cache_miss');
    await rejectsWith(
      resolve([image({ uuid: 'u' })], { mmProcessorKwargs: { min_pixels: 5 } }, 'a'),
      'media_cache_miss',
    );
    await rejectsWith(
      resolve([image({ uuid: 'u' })], { mediaIoKwargs: { image: { image_mode: null } } }),
      'media_cache_miss',
    );
    const [theirs] = await resolve([fromBytes(OTHER_PNG, { uuid: 'u' })], {}, 'b');
    assert.notEqual(mine?.key, theirs?.key);
    assert.equal((await resolve([image({ uuid: 'u' })], {}, 'a'))[0], mine);
    assert.equal(processor.processed.length, 2);
  });

  test('odd uuids and tenants are served', async (t) => {
    const { resolve } = setUp(t);
    const odd = ['', '\0', 'a\nb', '\ud800', '__proto__', 'constructor', 'x'.repeat(1_000_000)];
    const items = await Promise.all(odd.map((uuid) => resolve([fromBytes(PNG, { uuid })], {}, uuid)));
    assert.equal(new Set(items.map(([item]) => item?.key)).size, odd.length);
  });

  test('concurrent requests for one URL with one uuid fetch it once', async (t) => {
    const server = await startTestServer(t, (_request, response) => setTimeout(() => response.end(PNG), 30));
    const { resolve, processor } = setUp(t);
    const leaving = new AbortController();
    const part = fromUrl(server.url('/x'), { uuid: 'u' });
    const left = resolve([part], {}, 'a', leaving.signal);
    const stays = resolve([part], {}, 'a');
    setImmediate(() => leaving.abort());
    await rejectsWith(left, 'request_cancelled');
    assert.equal((await stays).length, 1);
    assert.equal(server.hits.length, 1);
    assert.equal(processor.processed.length, 1);
  });
});

describe('failures', () => {
  test('name their part, and end the others', async (t) => {
    let numClosed = 0;
    const server = await startTestServer(t, (request, response) => {
      response.on('close', () => numClosed++);
      if (request.url === '/404') setTimeout(() => response.writeHead(404).end(), 30);
    });
    const { resolve } = setUp(t);
    const parts = ['/slow', '/404', '/slow'].map((path, i) =>
      fromUrl(server.url(path), { param: `content[${i}]` }),
    );
    const error = await rejectsWith(resolve(parts), 'media_fetch_rejected');
    assert.equal(error.param, 'content[1]');
    while (numClosed < 3) await new Promise((resolve_) => setTimeout(resolve_, 5));
  });

  test('what can be refused at once is refused before any fetch', async (t) => {
    const server = await startTestServer(t, (_request, response) => response.end(PNG));
    const { resolve } = setUp(t, {}, { processor: createFakeProcessor(['image']) });
    const good = fromUrl(server.url('/x'));
    await rejectsWith(resolve([good, image({ modality: 'audio', uuid: 'u' })]), 'unsupported_modality');
    await rejectsWith(resolve([good, image({})]), 'missing_field');
    await rejectsWith(resolve([good, fromUrl(server.url('/y'), { options: { fps: 1e9 } })]), 'invalid_value');
    assert.deepEqual(server.hits, []);
  });

  test('every modality passes the same guard', async (t) => {
    const canary = await startTestServer(t, (_request, response) => response.end('secret'));
    const { resolve } = setUp(t, { allowPrivateMediaAddresses: false });
    for (const modality of ['image', 'video', 'audio'] as const) {
      const source = { kind: 'url', url: canary.url('/') } as const;
      await rejectsWith(resolve([image({ modality, source })]), 'media_address_refused');
    }
    const frames = [{ kind: 'url', url: canary.url('/') } as const];
    await rejectsWith(
      resolve([image({ modality: 'video', source: { kind: 'frames', frames } })]),
      'media_address_refused',
    );
    await rejectsWith(resolve([fromUrl('file:///etc/hostname')]), 'local_file_refused');
    assert.deepEqual(canary.hits, []);
  });

  test('a cancelled request does nothing', async (t) => {
    const { resolve, processor } = setUp(t);
    await rejectsWith(resolve([fromBytes(PNG)], {}, 'a', AbortSignal.abort()), 'request_cancelled');
    assert.equal(processor.processed.length, 0);
  });

  test('the next request works, and memory is given back', async (t) => {
    const { resolve } = setUp(t, { maxInFlightBytes: 2000 });
    for (let i = 0; i < 50; i++) {
      await rejectsWith(resolve([fromUrl(dataUrl(Buffer.from('broken')))]), 'invalid_image');
      assert.equal((await resolve([fromUrl(dataUrl(PNG))])).length, 1);
    }
  });
});

test('items of a request are given back when it has used them, and when another part fails', async (t) => {
  const disposed: NativeMedia[] = [];
  const processor = createFakeProcessor();
  let numMade = 0;
  processor.process = (media) => {
    numMade++;
    return Promise.resolve(fakeItem(media.kind, 100, disposed));
  };
  const cache = new ProcessedItemCache(0);
  const resolver = new MediaResolver({ policy: policyWith(), processor, cache, modelId: 'm' });
  t.after(() => resolver.close());
  const parts = [fromUrl(dataUrl(PNG)), fromUrl(dataUrl(OTHER_PNG)), fromUrl(dataUrl(PNG))];
  await resolver.withItems(parts, {}, { tenant: '' }, (items) => {
    assert.equal(items.length, 3);
    assert.equal(disposed.length, 0);
  });
  assert.ok(numMade >= 2);
  assert.equal(disposed.length, numMade);
  await rejectsWith(
    resolver.withItems(
      [parts[0]!, fromUrl(dataUrl(Buffer.from('broken')))],
      {},
      { tenant: '' },
      () => undefined,
    ),
    'invalid_image',
  );
  await rejectsWith(
    resolver.withItems([parts[0]!], {}, { tenant: '' }, () => {
      throw new SensoriumError('prompt_too_long', 'no');
    }),
    'prompt_too_long',
  );
  for (let turn = 0; turn < 1000 && disposed.length < numMade; turn++) await nextTurn();
  assert.equal(disposed.length, numMade);
  assert.equal(new Set(disposed).size, disposed.length);
});

test('stage times are noted', async (t) => {
  const processor = createFakeProcessor();
  const cache = new ProcessedItemCache(1000);
  const resolver = new MediaResolver({ policy: policyWith(), processor, cache, modelId: 'm' });
  t.after(() => resolver.close());
  const timings = { fetchMs: 0, preprocessMs: 0 };
  await resolver.withItems([fromUrl(dataUrl(PNG))], {}, { tenant: '', timings }, () => undefined);
  assert.ok(timings.fetchMs > 0 && timings.preprocessMs > 0);
});

describe('sound of videos', NEEDS_FFMPEG, () => {
  const clip: MediaPart = {
    modality: 'video',
    param: 'messages[0].content[0].video_url',
    source: { kind: 'bytes', bytes: readFixture('sound.mp4') },
  };
  const asked: MediaOptions[] = [
    { mmProcessorKwargs: { use_audio_in_video: true } },
    { mediaIoKwargs: { video: { use_audio_in_video: true } } },
  ];

  test('is taken where either kind of options asks for it', async (t) => {
    for (const options of asked) {
      const { resolve, processor } = setUp(t);
      await resolve([clip], options);
      assert.equal((processor.processed[0]?.media as DecodedVideo).audio?.samplingRate, 22050);
    }
    const { resolve, processor } = setUp(t);
    await resolve([{ ...clip, source: { kind: 'bytes', bytes: readFixture('plain.mp4') } }], asked[0]);
    assert.equal((processor.processed[0]?.media as DecodedVideo).audio, undefined);
  });

  test('is refused where the model takes none', async (t) => {
    const processor = createFakeProcessor(['image', 'video']);
    for (const options of asked) {
      const { resolve } = setUp(t, {}, { processor });
      const error = await rejectsWith(resolve([clip], options), 'unsupported_modality');
      assert.equal(error.param, clip.param);
      assert.equal((await resolve([fromBytes(PNG)], options)).length, 1);
    }
  });
});
