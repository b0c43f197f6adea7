import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import type { Processor } from '../../../lib/processors/types.js';
import { modelFolderOf, PICTURE_FAMILIES, readJson } from '../support/goldens.js';

type JsonObject = Record<string, unknown>;

const PREPROCESSOR = 'preprocessor_config.json';

const addon = loadAddon();
const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

/** The processor of a family's checkpoint whose `file` has other members; undefined ones are left out. */
function createWith(
  family: string,
  file: string,
  members: JsonObject,
  preprocessor?: JsonObject,
): Promise<Processor> {
  const folder = mkdtempSync(join(tmpdir(), 'sensorium-'));
  folders.push(folder);
  const source = modelFolderOf(family);
  for (const name of readdirSync(source).filter((entry) => entry.endsWith('.json')))
    cpSync(join(source, name), join(folder, name));
  const path = join(source, file);
  const old = existsSync(path) ? (readJson(path) as JsonObject) : {};
  writeFileSync(join(folder, file), JSON.stringify({ ...old, ...members }));
  for (const name of [PREPROCESSOR, 'video_preprocessor_config.json']) {
    if (preprocessor === undefined || !existsSync(join(folder, name))) continue;
    const stated = readJson(join(folder, name)) as JsonObject;
    writeFileSync(join(folder, name), JSON.stringify({ ...stated, ...preprocessor }));
  }
  return createProcessor(folder, addon);
}

const REFUSED: [family: string, file: string, members: JsonObject, named: RegExp][] = [
  ['llava', PREPROCESSOR, { crop_size: { height: 84, width: 84 } }, /70 x 70.*config\.json/],
  ['llava', PREPROCESSOR, { do_center_crop: false }, /70 x 70/],
  ['llava', PREPROCESSOR, { resample: 99 }, /resample/],
  ['llava', PREPROCESSOR, { image_mean: [1, 2] }, /image_mean/],
  ['llava', PREPROCESSOR, { do_resize: false }, /not resized/],
  ['llava', 'config.json', { vision_config: { image_size: 7, patch_size: 14 } }, /image_size and patch_size/],
  ['llava_onevision', PREPROCESSOR, { size: { height: 384, width: 384 } }, /42 x 42/],
  ['llava_onevision', PREPROCESSOR, { image_grid_pinpoints: [[50, 42]] }, /image_grid_pinpoints/],
  ['llava_onevision', 'config.json', { vision_aspect_ratio: 'square' }, /vision_aspect_ratio/],
  ['phi3_v', PREPROCESSOR, { num_crops: 0 }, /num_crops/],
  ['minicpm_v', PREPROCESSOR, { max_slice_nums: 1.5 }, /max_slice_nums/],
  ['minicpm_v', PREPROCESSOR, { image_feature_size: 64 }, /image_feature_size 64.*query_num/],
  ['minicpm_v', PREPROCESSOR, { slice_start: '<piece>' }, /<piece>/],
];

describe('checkpoints of picture families', () => {
  for (const [family, file, members, named] of REFUSED) {
    const options = PICTURE_FAMILIES.includes(family) ? {} : { skip: `no goldens of ${family}` };
    test(`${family}: ${JSON.stringify(members)} in ${file}`, options, async () => {
      await assert.rejects(createWith(family, file, members), (error: { code?: string; message: string }) => {
        assert.equal(error.code, 'invalid_checkpoint');
        assert.match(error.message, named);
        return true;
      });
    });
  }

  const spellings: [family: string, file: string, members: JsonObject][] = [
    ['llava', PREPROCESSOR, { size: 70, crop_size: 70 }],
    ['llava', PREPROCESSOR, { size: { height: 70, width: 70 }, crop_size: undefined, do_center_crop: false }],
    ['llava', 'processor_config.json', { patch_size: undefined }],
    ['llava_onevision', PREPROCESSOR, { image_grid_pinpoints: undefined }],
    ['llava_onevision', 'config.json', { vision_aspect_ratio: undefined }],
    ['phi3_v', PREPROCESSOR, { num_crops: undefined, image_mean: undefined }],
    [
      'minicpm_v',
      PREPROCESSOR,
      { max_slice_nums: undefined, im_start: undefined, image_feature_size: undefined },
    ],
  ];
  for (const [family, file, members] of spellings) {
    const options = PICTURE_FAMILIES.includes(family) ? {} : { skip: `no goldens of ${family}` };
    test(`${family} takes ${JSON.stringify(members)} in ${file}`, options, async () => {
      assert.equal((await createWith(family, file, members)).family, family);
    });
  }
});

describe('sizes that config.json leaves out', () => {
  const options = PICTURE_FAMILIES.includes('llava') ? {} : { skip: 'no goldens' };
  test('are those of the tower\u2019s class', options, async () => {
    const vision = { model_type: 'clip_vision_model', patch_size: 14 };
    const preprocessor = { size: { shortest_edge: 224 }, crop_size: { height: 224, width: 224 } };
    const processor = await createWith('llava', 'config.json', { vision_config: vision }, preprocessor);
    const picture = { kind: 'image' as const, data: new Uint8Array(64 * 48 * 3), width: 64, height: 48 };
    assert.equal((await processor.process(picture, {})).numTokens, 16 * 16);
  });

  for (const [family, hiddenSize] of [
    ['llava', 4096],
    ['llava_onevision', 4096],
    ['qwen3_vl', 4096],
    ['qwen3_vl_moe', 2048],
    ['phi3_v', 3072],
  ] as const) {
    const skip = existsSync(modelFolderOf(family)) ? {} : { skip: `no goldens of ${family}` };
    test(`${family} is ${hiddenSize} wide`, skip, async () => {
      const config = readJson(join(modelFolderOf(family), 'config.json')) as JsonObject;
      const text = { ...(config['text_config'] as JsonObject | undefined), hidden_size: undefined };
      const members = 'text_config' in config ? { text_config: text } : { hidden_size: undefined };
      const processor = await createWith(family, 'config.json', members);
      const rows = { data: new Float32Array(1), shape: [1, 1], isInteger: false };
      const isDeep = family.startsWith('qwen3');
      await assert.rejects(
        async () => processor.processEmbeddings('image', { embeddings: rows }),
        new RegExp(`expected \\[rows, ${isDeep ? hiddenSize * 3 : hiddenSize}\\]`),
      );
    });
  }
});

const TILED = PICTURE_FAMILIES.includes('llava_onevision') ? {} : { skip: 'no goldens' };
test('a picture thinner than a patch is its overview alone', TILED, async () => {
  const pinpoints = [
    [56, 224],
    [224, 56],
  ];
  const config = { vision_config: { model_type: 'siglip_vision_model', image_size: 56, patch_size: 14 } };
  const processor = await createWith('llava_onevision', 'config.json', config, {
    size: { height: 56, width: 56 },
    image_grid_pinpoints: pinpoints,
  });
  const numTokens = async (width: number, height: number): Promise<number> => {
    const data = new Uint8Array(width * height * 3);
    return (await processor.process({ kind: 'image', data, width, height }, {})).numTokens;
  };
  assert.equal(await numTokens(1000, 60), 4 * 4);
  assert.equal(await numTokens(1000, 70), 4 * 4 + 2 * 17);
  assert.equal(await numTokens(60, 1000), 4 * 4 + 16, 'empty lines keep their newlines');
});

describe('options of a request', () => {
  const picture = { kind: 'image' as const, data: new Uint8Array(64 * 48 * 3), width: 64, height: 48 };
  for (const [family, name] of [
    ['phi3_v', 'num_crops'],
    ['minicpm_v', 'max_slice_nums'],
  ] as const) {
    const options = PICTURE_FAMILIES.includes(family) ? {} : { skip: `no goldens of ${family}` };
    test(`${name} of ${family}`, options, async () => {
      const processor = await createProcessor(modelFolderOf(family), addon);
      for (const value of [0, -1, 1.5, 1e9, '4']) {
        await assert.rejects(
          processor.process(picture, { [name]: value }),
          (error: { code?: string; message: string }) =>
            error.code === 'invalid_value' && error.message.includes(name),
        );
      }
      const few = await processor.process(picture, { [name]: 1 });
      const many = await processor.process(picture, { [name]: 16 });
      assert.ok(few.numTokens <= many.numTokens);
    });
  }

  test('a picture among others is not tiled', TILED, async () => {
    const processor = await createProcessor(modelFolderOf('llava_onevision'), addon);
    const image = { modality: 'image' as const };
    const alone = processor.optionsOfRequest?.([image]) ?? {};
    const together = processor.optionsOfRequest?.([image, image]) ?? {};
    assert.notDeepEqual(alone, together);
    assert.ok(
      (await processor.process(picture, together)).numTokens <
        (await processor.process(picture, alone)).numTokens,
    );
  });
});
