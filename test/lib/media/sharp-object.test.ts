import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { readSharpImage } from '../../../lib/media/sharp-object.js';
import type { RawPixels, SharpImage } from '../../../lib/media/types.js';
import { policyWith } from './support/context.js';
import { rejectsWith } from './support/errors.js';

const RGBA = Buffer.from([200, 100, 50, 0, 200, 100, 50, 128, 200, 100, 50, 255]);
const never = new AbortController().signal;

async function read(
  image: SharpImage,
  signal = never,
  maxImagePixels = 1000,
): Promise<RawPixels & { leased: number[] }> {
  const leased: number[] = [];
  const lease = (numPixels: number): Promise<void> => {
    leased.push(numPixels);
    return Promise.resolve();
  };
  return { ...(await readSharpImage(image, policyWith({ maxImagePixels }), lease, signal)), leased };
}

describe('pictures of sharp', () => {
  test('keep their alpha, for the background to be chosen later', async () => {
    const pixels = await read(sharp(RGBA, { raw: { width: 3, height: 1, channels: 4 } }));
    assert.deepEqual([pixels.width, pixels.height, pixels.channels], [3, 1, 4]);
    assert.deepEqual(Buffer.from(pixels.data), RGBA);
    assert.deepEqual(pixels.leased, [3]);
  });

  test('are what their pipeline makes, in 8 bits', async () => {
    const source = sharp({ create: { width: 8, height: 4, channels: 3, background: '#102030' } });
    const png = await source.toColourspace('rgb16').png().toBuffer();
    const pixels = await read(sharp(png).resize(2, 1).jpeg());
    assert.deepEqual([pixels.width, pixels.height], [2, 1]);
    assert.deepEqual([...pixels.data], [16, 32, 48, 16, 32, 48]);
  });

  test('are turned upright once, whether their pipeline does it or not', async () => {
    const raw = { width: 2, height: 1, channels: 3 } as const;
    const tiff = await sharp(Buffer.from([1, 2, 3, 4, 5, 6]), { raw })
      .withMetadata({ orientation: 6 })
      .tiff({ compression: 'none' })
      .toBuffer();
    for (const image of [sharp(tiff), sharp(tiff).autoOrient()]) {
      const { width, height, data } = await read(image);
      assert.deepEqual([width, height, ...data], [1, 2, 1, 2, 3, 4, 5, 6]);
    }
  });

  test('are held to the limit of pixels, by their header and by their outcome', async () => {
    const large = sharp({ create: { width: 40, height: 30, channels: 3, background: 'red' } });
    await rejectsWith(read(large), 'media_too_large');
    const small = sharp({ create: { width: 4, height: 3, channels: 3, background: 'red' } });
    await rejectsWith(read(small.resize(40, 30)), 'media_too_large');
  });

  test('that are broken, or wait for a stream that never comes, end with their request', async () => {
    await rejectsWith(read(sharp(Buffer.from('no picture'))), 'invalid_image');
    const controller = new AbortController();
    const work = read(sharp(), controller.signal);
    controller.abort();
    await rejectsWith(work, 'request_cancelled');
  });
});
