import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import type { ErrorCode } from '../../../lib/errors.js';
import type { ImageInput, MultiModalData } from '../../../lib/llm.js';
import {
  DemoModel,
  SAMPLES,
  SHAPE,
  GREEDY,
  SHAPE_ANSWER,
  turn,
  IMAGE,
  ASK_IMAGE,
  user,
  hasCode,
} from './support/demo-model.js';

const demo = new DemoModel();

describe('pictures in process', () => {
  test('as bytes, path, URL, sharp object, and pixels in every layout', async () => {
    const raw = await sharp(SHAPE).raw().toBuffer({ resolveWithObject: true });
    const { width, height, channels } = raw.info;
    const planes = Buffer.alloc(raw.data.length);
    const numPixels = width * height;
    for (let i = 0; i < raw.data.length; i++) {
      planes[(i % channels) * numPixels + Math.floor(i / channels)] = raw.data[i] as number;
    }
    const pixels = new Uint8ClampedArray(raw.data);
    const forms: Record<string, ImageInput> = {
      bytes: readFileSync(SHAPE),
      ArrayBuffer: new Uint8Array(readFileSync(SHAPE)).buffer,
      path: SHAPE,
      'file: URL': pathToFileURL(SHAPE),
      'data: URL': `data:image/png;base64,${readFileSync(SHAPE).toString('base64')}`,
      'an object with a url': { url: pathToFileURL(SHAPE) },
      'sharp of a path': sharp(SHAPE),
      'sharp of bytes': sharp(readFileSync(SHAPE)),
      'what sharp resolves with': raw,
      pixels: { data: raw.data, width, height, channels },
      ImageData: { data: pixels, width, height },
      '[h, w, c]': { data: raw.data, shape: [height, width, channels] },
      '[c, h, w]': { data: planes, shape: [channels, height, width] },
      '[1, h, w, c]': { data: raw.data, shape: [1, height, width, channels] },
    };
    for (const [name, image] of Object.entries(forms)) {
      assert.equal(await demo.answer(ASK_IMAGE, { image }), SHAPE_ANSWER, name);
      assert.equal(await demo.answer(ASK_IMAGE, { image: [image] }), SHAPE_ANSWER, `a list of ${name}`);
    }
  });

  test('a sharp object is turned upright and stays usable', async () => {
    const turned = await sharp(SHAPE).rotate(90).withMetadata({ orientation: 8 }).jpeg().toBuffer();
    const image = sharp(turned);
    const upright = await demo.llm.generate({ prompt: ASK_IMAGE, multiModalData: { image: turned } }, GREEDY);
    const bySharp = await demo.llm.generate({ prompt: ASK_IMAGE, multiModalData: { image } }, GREEDY);
    assert.deepEqual(bySharp.promptTokenIds, upright.promptTokenIds);
    assert.equal(bySharp.outputs[0]?.text, upright.outputs[0]?.text);
    assert.equal((await image.metadata()).orientation, 8);
    assert.equal((await image.jpeg().toBuffer()).subarray(0, 3).toString('hex'), 'ffd8ff');
  });

  test('in chat under `image`, `image_pil` and `image_url`', async () => {
    const text = { type: 'text', text: "What's in this image?" };
    const forms = [
      { type: 'image', image: sharp(SHAPE) },
      { type: 'image_pil', image_pil: sharp(SHAPE) },
      { type: 'image_url', image_url: readFileSync(SHAPE) },
      { type: 'image_url', image_url: { url: pathToFileURL(SHAPE) } },
      { image: SHAPE },
    ];
    for (const form of forms) {
      assert.equal((await demo.llm.chat(user(form, text), GREEDY)).outputs[0]?.text, SHAPE_ANSWER);
    }
    const known = { type: 'image_pil', image_pil: null, uuid: 'a picture of PIL' };
    await assert.rejects(demo.llm.chat(user(known, text), GREEDY), hasCode('media_cache_miss'));
    await demo.llm.chat(user({ ...known, image_pil: sharp(SHAPE) }, text), GREEDY);
    assert.equal((await demo.llm.chat(user(known, text), GREEDY)).outputs[0]?.text, SHAPE_ANSWER);
  });

  test('several in one prompt, and several prompts at once', async () => {
    const two = turn(`${IMAGE}${IMAGE}Describe the differences.`);
    const image = [SHAPE, sharp(join(SAMPLES, 'shape-2.jpg'))];
    assert.match((await demo.answer(two, { image })) ?? '', /white rectangle.*brown triangle/);
    const results = await demo.llm.generate(
      [
        { prompt: ASK_IMAGE, multiModalData: { image: SHAPE } },
        { promptTokenIds: demo.llm.tokenize(ASK_IMAGE), multiModalData: { image: [SHAPE] } },
        { prompt: demo.llm.tokenize(ASK_IMAGE), multiModalData: { image: sharp(SHAPE) } },
      ],
      GREEDY,
    );
    for (const { outputs } of results) assert.equal(outputs[0]?.text, SHAPE_ANSWER);
  });

  test('what is no picture is refused, naming the item', async () => {
    const refuse = async (image: unknown, code: ErrorCode, message: RegExp): Promise<void> => {
      const work = demo.answer(ASK_IMAGE, { image: [image as ImageInput] });
      await assert.rejects(work, hasCode(code, message, 'multiModalData.image[0]'));
    };
    await refuse({ data: new Uint8Array(5), width: 2, height: 1 }, 'invalid_image', /5 bytes/);
    await refuse({ data: new Uint8Array(6), shape: [6] }, 'invalid_image', /shape \[6\]/);
    await refuse({ data: new Uint8Array(6), shape: [2, 2, 3] }, 'invalid_image', /6 values/);
    await refuse({ data: new Uint8Array(24), shape: [2, 2, 2, 3] }, 'invalid_image', /2 pictures/);
    await refuse({ data: new Uint8Array(0), shape: [0, 0, 3] }, 'invalid_image', /shape/);
    await refuse({ data: new Uint8Array(4), width: '2', height: 2 }, 'invalid_type', /positive integer/);
    await refuse(17, 'invalid_type', /sharp object/);
    await refuse(new Map(), 'invalid_type', /sharp object/);
    await refuse({}, 'missing_field', /url/);
    await refuse(join(SAMPLES, 'no-such.png'), 'local_file_not_found', /no-such\.png/);
    await refuse(SAMPLES, 'local_file_refused', /regular file/);
    await refuse(sharp(Buffer.from('no picture')), 'invalid_image', /decoded/);
  });
});

describe('ids of media', () => {
  const ask = (image: MultiModalData['image'], uuids?: string | (string | null)[]): Promise<unknown> =>
    demo.answer(ASK_IMAGE, { image }, { multiModalUuids: { image: uuids } });

  test('stand for what was sent before: as a list, alone, and for a whole modality', async () => {
    await ask([SHAPE], ['sku-1']);
    assert.equal(await ask([null], ['sku-1']), SHAPE_ANSWER);
    assert.equal(await ask(null, ['sku-1']), SHAPE_ANSWER);
    assert.equal(await ask(null, 'sku-1'), SHAPE_ANSWER);
    assert.equal(await ask(undefined, 'sku-1'), SHAPE_ANSWER);
    assert.equal(await ask([SHAPE], [null]), SHAPE_ANSWER);
    await assert.rejects(ask([null], ['sku-2']), hasCode('media_cache_miss'));
  });

  test('a known id reads no file', async () => {
    await ask([SHAPE], ['sku-3']);
    assert.equal(await ask(['/no/such/file.png'], ['sku-3']), SHAPE_ANSWER);
  });

  test('that do not fit are refused', async () => {
    await assert.rejects(
      ask([SHAPE], ['a', 'b']),
      hasCode(
        'invalid_value',
        /multiModalUuids\['image'\] must have same length as multiModalData\['image'\], but got 2 vs 1/,
      ),
    );
    await assert.rejects(
      ask([null], [null]),
      hasCode(
        'missing_field',
        /multiModalData\['image'\]\[0\] is empty but multiModalUuids\['image'\]\[0\] is missing/,
      ),
    );
    await assert.rejects(
      ask(null),
      hasCode(
        'missing_field',
        /multiModalData\['image'\] is empty but multiModalUuids\['image'\] is missing/,
      ),
    );
    await assert.rejects(ask([SHAPE], ['']), hasCode('invalid_value', /multiModalUuids\.image\[0\]/));
    await assert.rejects(ask([SHAPE], ['x'.repeat(257)]), hasCode('invalid_value'));
  });
});
