import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { decodeImage, readImageHeader } from '../../../lib/media/image.js';
import type { ImageSettings } from '../../../lib/media/media-settings.js';
import type { DecodedImage } from '../../../lib/media/types.js';
import { contextWith } from './support/context.js';
import { rejectsWith } from './support/errors.js';
import { hostileCases, hostileTensors, maxDifference, readHostile } from './support/goldens.js';

const WHITE: ImageSettings = { background: [255, 255, 255] };
const KEEP_HIDDEN: ImageSettings = { background: undefined };
const decode = (bytes: Uint8Array, settings = WHITE): Promise<DecodedImage> =>
  decodeImage(bytes, settings, contextWith());

/** Mode that a golden's tolerance applies to; 16-bit grey may be clipped or scaled. */
const TOLERANCE_LEVELS: Record<string, number> = { 'files/odd_gray16.png': 255 };

describe('goldens of hostile images', () => {
  const tensor = hostileTensors();
  for (const hostile of hostileCases('image')) {
    test(`${hostile.file}: ${hostile.why}`, async () => {
      const bytes = readHostile(hostile.file);
      const work = decode(bytes, hostile.image_mode === null ? KEEP_HIDDEN : WHITE);
      if (hostile.expect === 'reject') {
        const error = await work.then(
          () => undefined,
          (reason: { status: number }) => reason,
        );
        assert.ok(error && error.status >= 400 && error.status < 500);
        return;
      }
      const image = await work.catch((error: { status: number }) => error);
      if ('status' in image) {
        assert.equal(hostile.expect, 'either');
        assert.ok(image.status >= 400 && image.status < 500);
        return;
      }
      const expected = tensor(hostile.file.replace('files/', ''));
      if (hostile.size_wh) assert.deepEqual([image.width, image.height], hostile.size_wh);
      assert.equal(image.data.length, image.width * image.height * 3);
      const tolerance = TOLERANCE_LEVELS[hostile.file] ?? (hostile.pixels_exact ? 0 : 3);
      if (expected) assert.ok(maxDifference(image.data, expected) <= tolerance);
    });
  }
});

describe('formats', () => {
  const pixels = Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 10, 20, 30, 40, 50, 60, 70, 80, 90]);
  const picture = (): Sharp => sharp(pixels, { raw: { width: 3, height: 2, channels: 3 } });

  test('lossless ones give their pixels back', async () => {
    const encoded = [
      await picture().png().toBuffer(),
      await picture().webp({ lossless: true }).toBuffer(),
      await picture().tiff({ compression: 'none' }).toBuffer(),
      await picture().gif().toBuffer(),
    ];
    for (const bytes of encoded) assert.deepEqual(Buffer.from((await decode(bytes)).data), pixels);
  });

  test('AVIF and JPEG are decoded', async () => {
    for (const bytes of [
      await picture().avif({ quality: 100 }).toBuffer(),
      await picture().jpeg().toBuffer(),
    ]) {
      const { width, height } = await decode(bytes);
      assert.deepEqual([width, height], [3, 2]);
    }
  });

  test('AVIF under the generic picture brand is told from HEIC', async () => {
    const bytes = await picture().avif({ quality: 100 }).toBuffer();
    assert.ok(bytes.subarray(16, bytes.readUInt32BE(0)).includes('avif'));
    bytes.write('mif1', 8, 'latin1');
    assert.equal((await decode(bytes)).width, 3);
  });

  test('16-bit colour is scaled to 8 bits', async () => {
    const bytes = await picture().toColourspace('rgb16').png().toBuffer();
    assert.equal((await sharp(bytes).metadata()).depth, 'ushort');
    assert.deepEqual(Buffer.from((await decode(bytes)).data), pixels);
  });

  test('known but unwanted ones are refused by name', async () => {
    const unwanted: [string, Buffer][] = [
      [
        'SVG',
        Buffer.from(
          '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/hostname"/></svg>',
        ),
      ],
      ...(
        [
          ['PDF', '%PDF-1.7 ...'],
          ['HEIC', '\0\0\0\x18ftypheic\0\0\0\0'],
          ['MP4', '\0\0\0\x18ftypisom\0\0\0\0'],
          ['ICO', '\0\0\x01\0\x01\0\x10\x10\0\0'],
          ['JP2', '\0\0\0\x0cjP  \r\n\x87\n'],
          ['JP2', '\xff\x4f\xff\x51\0\x2f'],
          ['JXL', '\xff\x0a\xfa\x1f'],
          ['JXL', '\0\0\0\x0cJXL \r\n\x87\n'],
          ['JXR', 'II\xbc\x01'],
          ['EXR', 'v/1\x01\x02\0\0\0'],
          ['HDR', '#?RADIANCE\n'],
          ['FITS', 'SIMPLE  =                    T'],
          ['PPM', 'P6\n1 1\n255\nabc'],
          ['PSD', '8BPS\0\x01'],
          ['DDS', 'DDS |\0\0\0'],
          ['QOI', 'qoif\0\0\0\x01'],
        ] as const
      ).map(([name, text]): [string, Buffer] => [name, Buffer.from(text, 'latin1')]),
    ];
    for (const [name, bytes] of unwanted) {
      assert.match((await rejectsWith(decode(bytes), 'media_format_refused')).message, new RegExp(name));
    }
  });

  test('the decoder has a format of its own, which is refused as well', async () => {
    const bytes = Buffer.from('\xb6\xa6\xf2\x08\0\0\0\x01', 'latin1');
    await assert.rejects(decode(bytes), { code: 'media_format_refused' });
  });

  test('loaders that are not needed are blocked in libvips itself', async () => {
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="2" height="2"/>');
    await assert.rejects(sharp(svg).metadata());
  });
});

describe('bitmaps', () => {
  function bitmap(bitsPerPixel: number, palette: number[], rows: number[], height = 1): Buffer {
    const header = Buffer.alloc(54);
    header.write('BM', 'latin1');
    header.writeUInt32LE(54 + palette.length, 10);
    header.writeUInt32LE(40, 14);
    header.writeInt32LE(2, 18);
    header.writeInt32LE(height, 22);
    header.writeUInt16LE(1, 26);
    header.writeUInt16LE(bitsPerPixel, 28);
    header.writeUInt32LE(palette.length / 4, 46);
    return Buffer.concat([header, Buffer.from(palette), Buffer.from(rows)]);
  }
  const TWO_COLORS = [1, 2, 3, 0, 4, 5, 6, 0];

  test('of 1, 4, 8, 24 and 32 bits are read, bottom-up and top-down', async () => {
    for (const [bits, palette, rows] of [
      [1, TWO_COLORS, [0b01000000, 0, 0, 0]],
      [4, TWO_COLORS, [0x01, 0, 0, 0]],
      [8, TWO_COLORS, [0, 1, 0, 0]],
      [24, [], [1, 2, 3, 4, 5, 6, 0, 0]],
      [32, [], [1, 2, 3, 9, 4, 5, 6, 9]],
    ] as const) {
      const image = await decode(bitmap(bits, [...palette], [...rows]));
      assert.deepEqual([...image.data], [3, 2, 1, 6, 5, 4], `${bits} bits`);
    }
    const rows = [1, 1, 1, 1, 1, 1, 0, 0, 2, 2, 2, 2, 2, 2, 0, 0];
    assert.deepEqual([...(await decode(bitmap(24, [], rows, 2))).data].slice(0, 3), [2, 2, 2]);
    assert.deepEqual([...(await decode(bitmap(24, [], rows, -2))).data].slice(0, 3), [1, 1, 1]);
  });

  test('that are broken are refused', async () => {
    const whole = bitmap(24, [], [1, 2, 3, 4, 5, 6, 0, 0]);
    await rejectsWith(decode(whole.subarray(0, 40)), 'invalid_image');
    await rejectsWith(decode(whole.subarray(0, 60)), 'invalid_image');
    await rejectsWith(decode(bitmap(8, TWO_COLORS, [0, 2, 0, 0])), 'invalid_image');
    await rejectsWith(decode(bitmap(7, [], [0, 0, 0, 0])), 'invalid_image');
    await rejectsWith(decode(bitmap(24, [], [0, 0, 0, 0, 0, 0, 0, 0], 0)), 'invalid_image');
    await rejectsWith(decode(bitmap(24, [], [], 2_000_000_000)), 'media_too_large');
  });
});

describe('alpha', () => {
  const RGBA = Buffer.from([200, 100, 50, 0, 200, 100, 50, 128, 200, 100, 50, 255]);

  test('is composited on white, on a colour, or dropped with its hidden colours kept', async () => {
    const png = await sharp(RGBA, { raw: { width: 3, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    const becomes = async (settings: ImageSettings, expected: number[]): Promise<void> =>
      assert.deepEqual([...(await decode(png, settings)).data], expected);
    await becomes(WHITE, [255, 255, 255, 227, 177, 152, 200, 100, 50]);
    await becomes({ background: [0, 0, 255] }, [0, 0, 255, 100, 50, 152, 200, 100, 50]);
    await becomes(KEEP_HIDDEN, [200, 100, 50, 200, 100, 50, 200, 100, 50]);
  });

  test('of grey, of a palette and of 16 bits is composited too', async () => {
    const picture = sharp(RGBA, { raw: { width: 3, height: 1, channels: 4 } });
    const on = { background: [0, 0, 255] as [number, number, number] };
    const greyAlpha = sharp(Buffer.from([100, 0, 100, 128, 100, 255]), {
      raw: { width: 3, height: 1, channels: 2 },
    });
    const grey = await greyAlpha.toColourspace('b-w').png().toBuffer();
    assert.equal((await sharp(grey).metadata()).channels, 2);
    assert.deepEqual([...(await decode(grey, on)).data], [0, 0, 255, 50, 50, 177, 100, 100, 100]);
    const deep = await picture.clone().toColourspace('rgb16').png().toBuffer();
    assert.equal((await sharp(deep).metadata()).depth, 'ushort');
    const expected = [0, 0, 255, 100, 50, 152, 200, 100, 50];
    assert.deepEqual([...(await decode(deep, on)).data], expected);
    const indexed = await picture.clone().png({ palette: true, quality: 100, effort: 1 }).toBuffer();
    assert.ok(indexed.includes('tRNS') && indexed.includes('PLTE'));
    const { data } = await decode(indexed, on);
    assert.deepEqual([...data.subarray(0, 3)], [0, 0, 255]);
    assert.ok(maxDifference(data, expected) <= 2);
  });
});

describe('limits', () => {
  test('a picture of 144 megapixels in a few kilobytes is refused by its header alone', async () => {
    const context = contextWith();
    const work = decodeImage(readHostile('files/bomb_1bit_12000.png'), WHITE, context);
    assert.equal((await rejectsWith(work, 'media_too_large')).status, 413);
    assert.deepEqual(context.reserved, []);
  });

  test('so is one of 14000 x 14000 pixels', async () => {
    const size = 14_000;
    const png = await sharp({
      create: { width: size, height: size, channels: 3, background: 'black' },
      limitInputPixels: false,
    })
      .png({ colours: 2, palette: true, effort: 1 })
      .toBuffer();
    assert.ok(png.length < 600_000);
    const error = await rejectsWith(decode(png), 'media_too_large');
    assert.equal(error.status, 413);
    assert.match(error.message, /14000 x 14000/);
  });

  test('the pixel limit is that of the policy', async () => {
    const bytes = readHostile('files/ok_rgb.png');
    await rejectsWith(decodeImage(bytes, WHITE, contextWith({ maxImagePixels: 1039 })), 'media_too_large');
    assert.equal((await decodeImage(bytes, WHITE, contextWith({ maxImagePixels: 1040 }))).width, 40);
  });

  test('memory is reserved before pixels are decoded', async () => {
    const context = contextWith();
    await decodeImage(readHostile('files/ok_rgb.png'), WHITE, context);
    assert.deepEqual(context.reserved, [40 * 26 * 3]);
  });

  test('the header of an animation gives the size of one frame', async () => {
    const frames = Buffer.alloc(4 * 6 * 3, 7);
    frames.fill(200, 36);
    const gif = await sharp(frames, { raw: { width: 4, height: 6, channels: 3, pageHeight: 3 } })
      .gif()
      .toBuffer();
    const { width, height, numPages } = await readImageHeader(gif, contextWith().policy);
    assert.deepEqual([width, height, numPages], [4, 3, 2]);
    assert.equal((await decode(gif)).height, 3);
  });
});
