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

const addon = loadAddon();
const folders: string[] = [];
after(() => folders.forEach((folder) => rmSync(folder, { recursive: true })));

/** The processor of a family's checkpoint whose `file` has other members; undefined ones are left out. */
function createWith(family: string, file: string, members: JsonObject): Promise<Processor> {
  const folder = mkdtempSync(join(tmpdir(), 'sensorium-'));
  folders.push(folder);
  const source = modelFolderOf(family);
  for (const name of readdirSync(source).filter((entry) => entry.endsWith('.json')))
    cpSync(join(source, name), join(folder, name));
  const path = join(source, file);
  const old = existsSync(path) ? (readJson(path) as JsonObject) : {};
  writeFileSync(join(folder, file), JSON.stringify({ ...old, ...members }));
  return createProcessor(folder, addon);
}

const PREPROCESSOR = 'preprocessor_config.json';

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

  const options = PICTURE_FAMILIES.includes('llava_onevision') ? {} : { skip: 'no goldens' };
  test('a picture among others is not tiled', options, async () => {
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
