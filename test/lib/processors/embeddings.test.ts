import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ErrorCode } from '../../../lib/errors.js';
import type { DenseTensor } from '../../../lib/media/types.js';
import { loadAddon } from '../../../lib/native/load.js';
import { readIntegers, processRows } from '../../../lib/processors/embeddings.js';
import { createProcessor } from '../../../lib/processors/index.js';
import { modelFolderOf } from '../support/goldens.js';

const addon = loadAddon();

const floats = (...shape: number[]): DenseTensor => ({
  data: new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.5),
  shape,
  isInteger: false,
});
const integers = (values: number[], shape = [values.length]): DenseTensor => ({
  data: Float64Array.from(values),
  shape,
  isInteger: true,
});
const seconds = (...values: number[]): DenseTensor => ({
  data: Float32Array.from(values),
  shape: [values.length],
  isInteger: false,
});

const refuses = (work: () => unknown, code: ErrorCode, text: RegExp): Promise<void> =>
  assert.rejects(
    async () => {
      await work();
    },
    (error: unknown) => {
      assert.equal((error as { code?: string }).code, code, String(error));
      assert.match((error as Error).message, text);
      return true;
    },
  );

describe('rows of Qwen2-VL', async () => {
  const processor = await createProcessor(modelFolderOf('qwen2_vl'), addon);

  test('a picture has its grid, with or without a leading axis of one', async () => {
    for (const rows of [floats(6, 96), floats(1, 6, 96)]) {
      for (const grid of [integers([1, 4, 6]), integers([1, 4, 6], [1, 3])]) {
        const item = await processor.processEmbeddings('image', { embeddings: rows, image_grid_thw: grid });
        assert.deepEqual([item.modality, item.numTokens, item.sizeBytes], ['image', 6, 6 * 96 * 4]);
        assert.deepEqual([item.media.grid, item.media.numRows], [[1, 4, 6], 6]);
        assert.equal(item.secondsPerGrid, undefined);
      }
    }
  });

  test('a clip has its grid and the time of a patch, one second where it is not told', async () => {
    const clip = { embeddings: floats(4, 96), video_grid_thw: integers([2, 2, 4]) };
    const timed = await processor.processEmbeddings('video', { ...clip, second_per_grid_ts: seconds(0.25) });
    assert.deepEqual([timed.modality, timed.secondsPerGrid, timed.media.grid], ['video', 0.25, [2, 2, 4]]);
    assert.equal((await processor.processEmbeddings('video', clip)).secondsPerGrid, 1);
    for (const wrong of [seconds(-1), seconds(NaN), seconds(Infinity), seconds(1, 1), seconds()]) {
      const work = (): unknown =>
        processor.processEmbeddings('video', { ...clip, second_per_grid_ts: wrong });
      await refuses(work, 'invalid_embedding', /second_per_grid_ts/);
    }
  });

  test('the grid of the other modality does not do, nor do sounds', async () => {
    const rows = { embeddings: floats(4, 96), video_grid_thw: integers([1, 4, 4]) };
    await refuses(() => processor.processEmbeddings('image', rows), 'missing_field', /^image_grid_thw/);
    await refuses(() => processor.processEmbeddings('audio', rows), 'unsupported_modality', /audio/);
    const { video_grid_thw } = rows;
    await refuses(
      () => processor.processEmbeddings('video', { video_grid_thw }),
      'missing_field',
      /^video_embeds/,
    );
  });

  test('what the engine would have to look at is refused before it', async () => {
    const grid = integers([1, 4, 4]);
    const lying = { ...floats(4, 96), shape: [4, 96, 1] };
    const short = { ...floats(4, 96), data: new Float32Array(7) };
    for (const rows of [
      floats(4, 95),
      floats(4, 97),
      floats(3, 96),
      floats(96, 4),
      floats(2, 4, 96),
      lying,
      short,
    ]) {
      const work = (): unknown =>
        processor.processEmbeddings('image', { embeddings: rows, image_grid_thw: grid });
      await refuses(work, 'invalid_embedding', /^image_embeds/);
    }
    for (const value of [NaN, Infinity]) {
      const rows = floats(4, 96);
      rows.data[200] = value;
      const work = (): unknown =>
        processor.processEmbeddings('image', { embeddings: rows, image_grid_thw: grid });
      await refuses(work, 'invalid_embedding', /^image_embeds holds NaN/);
    }
  });
});

describe('rows of Qwen2.5-Omni', async () => {
  const processor = await createProcessor(modelFolderOf('qwen2_5_omni'), addon);

  test('a sound needs no extras; its frames, where told, must fit', async () => {
    const embeddings = floats(25, 80);
    const item = await processor.processEmbeddings('audio', { embeddings });
    assert.deepEqual([item.modality, item.numTokens, item.media.grid], ['audio', 25, [0, 0, 0]]);
    for (const numFrames of [99, 100, 102]) {
      await processor.processEmbeddings('audio', {
        embeddings,
        audio_feature_lengths: integers([numFrames]),
      });
    }
    for (const numFrames of [0, -1, 1, 98, 103, 2 ** 53]) {
      const tensors = { embeddings, audio_feature_lengths: integers([numFrames]) };
      const work = (): unknown => processor.processEmbeddings('audio', tensors);
      await refuses(work, 'invalid_embedding', /^audio_feature_lengths/);
    }
  });

  test('pictures and clips are those of the vision tower', async () => {
    const grid = integers([1, 4, 4]);
    for (const modality of ['image', 'video'] as const) {
      const item = await processor.processEmbeddings(modality, {
        embeddings: floats(4, 80),
        [`${modality}_grid_thw`]: grid,
      });
      assert.deepEqual([item.modality, item.numTokens], [modality, 4]);
    }
  });
});

test('a text model takes no rows', async () => {
  const processor = await createProcessor(modelFolderOf('qwen2'), addon);
  await refuses(
    () => processor.processEmbeddings('image', { embeddings: floats(1, 8) }),
    'unsupported_modality',
    /image/,
  );
});

test('families without extras, and with counts of their own', async () => {
  const item = await processRows(addon, 'image', { embeddings: floats(3, 8) }, { width: 8 });
  assert.deepEqual([item.numTokens, item.media.grid], [3, [0, 0, 0]]);
  assert.deepEqual(readIntegers('image_sizes', { image_sizes: integers([336, 448], [1, 2]) }, 2), [336, 448]);
  await refuses(() => readIntegers('image_sizes', {}, 2), 'missing_field', /^image_sizes/);
  await refuses(
    () => readIntegers('image_sizes', { image_sizes: integers([1]) }, 2),
    'invalid_embedding',
    /^image_sizes/,
  );
});
