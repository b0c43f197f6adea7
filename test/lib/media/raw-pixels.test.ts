import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hashPixels } from '../../../lib/media/content-hash.js';
import { checkPixels, toRgbImage } from '../../../lib/media/raw-pixels.js';
import type { RawPixels } from '../../../lib/media/types.js';
import { policyWith } from './support/context.js';
import { rejectsWith, throwsWith } from './support/errors.js';

type Color = [number, number, number];
const WHITE: { background: Color } = { background: [255, 255, 255] };

const row = (channels: RawPixels['channels'], levels: number[], isPlanar = false): RawPixels => ({
  data: Uint8Array.from(levels),
  width: levels.length / channels,
  height: 1,
  channels,
  isPlanar,
});
const levels = async (pixels: RawPixels, settings = WHITE): Promise<number[]> => [
  ...(await toRgbImage(pixels, settings)).data,
];

describe('pixels as RGB', () => {
  test('grey becomes three equal channels, RGB stays as it is', async () => {
    assert.deepEqual(await levels(row(1, [7, 9])), [7, 7, 7, 9, 9, 9]);
    const rgb = row(3, [1, 2, 3, 4, 5, 6]);
    assert.equal((await toRgbImage(rgb, WHITE)).data, rgb.data);
  });

  test('alpha is composited over the background', async () => {
    const rgba = row(4, [200, 100, 50, 0, 200, 100, 50, 128, 200, 100, 50, 255]);
    assert.deepEqual(await levels(rgba), [255, 255, 255, 227, 177, 152, 200, 100, 50]);
    assert.deepEqual(
      await levels(rgba, { background: [0, 0, 255] }),
      [0, 0, 255, 100, 50, 152, 200, 100, 50],
    );
    assert.deepEqual(
      await levels(row(2, [10, 0, 10, 255]), { background: [1, 2, 3] }),
      [1, 2, 3, 10, 10, 10],
    );
  });

  test('without a background alpha is dropped and hidden colours stay', async () => {
    const pixels = row(4, [1, 2, 3, 0]);
    assert.deepEqual([...(await toRgbImage(pixels, { background: undefined })).data], [1, 2, 3]);
  });

  test('every level and alpha rounds to the nearest', async () => {
    const data = new Uint8Array(65_536 * 4);
    for (let i = 0; i < 65_536; i++) data.set([i & 255, i & 255, i & 255, i >> 8], i * 4);
    const rgb = await toRgbImage(
      { data, width: 256, height: 256, channels: 4 },
      { background: [90, 0, 255] },
    );
    const expected = new Uint8Array(65_536 * 3);
    for (let i = 0; i < 65_536; i++) {
      const [level, alpha] = [i & 255, i >> 8];
      const composited = [90, 0, 255].map((ground) => (level * alpha + ground * (255 - alpha)) / 255);
      expected.set(composited.map(Math.round), i * 3);
    }
    assert.equal(Buffer.compare(rgb.data, expected), 0);
  });

  test('planes are interleaved', async () => {
    assert.deepEqual(await levels(row(3, [1, 4, 2, 5, 3, 6], true)), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(await levels(row(4, [1, 4, 2, 5, 3, 6, 255, 0], true)), [1, 2, 3, 255, 255, 255]);
  });

  test('large ones leave the event loop free, and stop with their request', async () => {
    const pixels: RawPixels = { data: new Uint8Array(4_000_000), width: 1000, height: 1000, channels: 4 };
    let numTurns = 0;
    let isDone = false;
    const count = (): void => {
      numTurns++;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await toRgbImage(pixels, WHITE);
    isDone = true;
    assert.ok(numTurns >= 5);
    await rejectsWith(toRgbImage(pixels, WHITE, AbortSignal.abort()), 'request_cancelled');
  });
});

describe('pixels of a caller', () => {
  test('are held to the limit of pictures and to their own size', () => {
    const policy = policyWith({ maxImagePixels: 12 });
    checkPixels({ data: new Uint8Array(12), width: 4, height: 3, channels: 1 }, policy);
    const large = { data: new Uint8Array(13), width: 13, height: 1, channels: 1 } as const;
    assert.equal(throwsWith(() => checkPixels(large, policy), 'media_too_large').status, 413);
    const short = { data: new Uint8Array(11), width: 4, height: 3, channels: 1 } as const;
    throwsWith(() => checkPixels(short, policy), 'invalid_image');
  });

  test('are known by size, channels and layout as well as by bytes', async () => {
    const data = new Uint8Array(12_000);
    const variants: RawPixels[] = [
      { data, width: 30, height: 100, channels: 4 },
      { data, width: 100, height: 30, channels: 4 },
      { data, width: 40, height: 100, channels: 3 },
      { data, width: 40, height: 100, channels: 3, isPlanar: true },
      { data, width: 120, height: 100, channels: 1 },
      { data, width: 60, height: 100, channels: 2 },
    ];
    const hashes = await Promise.all(variants.map((pixels) => hashPixels(pixels)));
    assert.equal(new Set(hashes).size, variants.length);
  });
});
