import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DenseTensor } from '../../../lib/media/types.js';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import type { KeyedItem, Processor } from '../../../lib/processors/types.js';
import { modelFolderOf, PICTURE_FAMILIES, readJson } from '../support/goldens.js';

const addon = loadAddon();

const floats = (...shape: number[]): DenseTensor => {
  const data = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.5);
  return { shape, data, isInteger: false };
};
const integers = (...data: number[]): DenseTensor => ({
  shape: [data.length],
  data: Float64Array.from(data),
  isInteger: true,
});

function widthOf(family: string): number {
  const config = readJson(`${modelFolderOf(family)}/config.json`) as Record<string, any>;
  return (config.text_config ?? config).hidden_size as number;
}

const optionsFor = (family: string): { skip?: string } =>
  PICTURE_FAMILIES.includes(family) ? {} : { skip: `no goldens of ${family}` };

const hasCode =
  (code: string, named: RegExp) =>
  (error: { code?: string; message: string }): boolean =>
    error.code === code && named.test(error.message);

async function refuses(
  processor: Processor,
  tensors: Record<string, DenseTensor>,
  code: string,
  named: RegExp,
): Promise<void> {
  await assert.rejects(async () => processor.processEmbeddings('image', tensors), hasCode(code, named));
}

describe('ready-made rows of pictures', () => {
  for (const family of ['llava', 'llava_onevision', 'phi3_v']) {
    test(`${family} needs nothing beside them`, optionsFor(family), async () => {
      const processor = await createProcessor(modelFolderOf(family), addon);
      const width = widthOf(family);
      const item = await processor.processEmbeddings('image', { embeddings: floats(7, width) });
      assert.equal(item.numTokens, 7);
      await refuses(processor, { embeddings: floats(7, width + 1) }, 'invalid_embedding', /image_embeds/);
      await refuses(processor, {}, 'missing_field', /image_embeds/);
      const audio = (): unknown => processor.processEmbeddings('audio', { embeddings: floats(7, width) });
      await assert.rejects(Promise.resolve().then(audio), hasCode('unsupported_modality', /audio/));
    });
  }

  test('minicpm_v needs the size of the picture', optionsFor('minicpm_v'), async () => {
    const processor = await createProcessor(modelFolderOf('minicpm_v'), addon);
    const width = widthOf('minicpm_v');
    // 220 x 110 pixels: two slices beside the whole picture, ten rows each.
    const size = integers(220, 110);
    for (const embeddings of [floats(30, width), floats(3, 10, width)]) {
      const item = await processor.processEmbeddings('image', { embeddings, image_sizes: size });
      assert.equal(item.numTokens, 30);
      assert.deepEqual(item.tileGrid, { rows: 1, columns: 2 });
      const keyed: KeyedItem = { ...item, key: 'picture' };
      const text = { encodePlain: () => [7], decode: () => '', isSpecial: () => false };
      const { tokenId } = processor.placeholders.image as { tokenId: number };
      const { media } = processor.expand([tokenId], [keyed], text);
      assert.deepEqual(
        media[0]?.runs.map(([, count]) => count),
        [10, 10, 10],
      );
    }
    const embeddings = floats(30, width);
    await refuses(processor, { embeddings }, 'missing_field', /image_sizes/);
    await refuses(
      processor,
      { embeddings, image_sizes: integers(30, 30) },
      'invalid_embedding',
      /30 rows.*10/,
    );
    await refuses(
      processor,
      { embeddings, image_sizes: integers(0, 30) },
      'invalid_embedding',
      /image_sizes/,
    );
    await refuses(
      processor,
      { embeddings, image_sizes: integers(1, 2, 3) },
      'invalid_embedding',
      /image_sizes/,
    );
  });
});
