import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { decodeImage } from '../../../lib/media/image.js';
import { readSharpImage } from '../../../lib/media/sharp-object.js';
import type { RawPixels, SharpImage } from '../../../lib/media/types.js';
import { contextWith, policyWith } from './support/context.js';
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

  test('in four inks have the colours that their bytes have', async () => {
    const raw = { width: 4, height: 2, channels: 3 } as const;
    const colors = Buffer.from([
      200, 30, 40, 10, 220, 30, 128, 128, 128, 250, 250, 5, 0, 0, 0, 255, 255, 255, 9, 99, 199, 77, 7, 177,
    ]);
    const jpeg = await sharp(colors, { raw })
      .toColourspace('cmyk')
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const expected = await decodeImage(jpeg, { background: [255, 255, 255] }, contextWith());
    const pixels = await read(sharp(jpeg));
    assert.deepEqual([pixels.width, pixels.height, pixels.channels], [2, 4, 3]);
    assert.deepEqual([...pixels.data], [...expected.data]);
    const smaller = await read(sharp(jpeg).resize(1, 1));
    assert.deepEqual([smaller.width, smaller.height, smaller.data.length], [1, 1, 3]);
    assert.equal((await read(sharp(jpeg).greyscale())).channels, 1);
  });

  test('with a profile have the colours that their bytes have', async () => {
    const raw = { width: 2, height: 1, channels: 3 } as const;
    const colors = sharp(Buffer.from([200, 30, 40, 10, 220, 30]), { raw });
    const png = await colors.withIccProfile('p3').png().toBuffer();
    const expected = await decodeImage(png, { background: [255, 255, 255] }, contextWith());
    assert.deepEqual([...(await read(sharp(png))).data], [...expected.data]);
    assert.notDeepEqual([...expected.data], [...(await sharp(png).raw().toBuffer())]);
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
