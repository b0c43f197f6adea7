import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DenseTensor, Modality } from '../../../lib/media/types.js';
import type { NativeAddon, NativeMedia } from '../../../lib/native/addon.js';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import { FAMILIES, modelFolderOf, PICTURE_FAMILIES, QWEN3_FAMILIES, readJson } from '../support/goldens.js';

const NUM_DEEPSTACK_VECTORS = 3;

const floats = (numRows: number, width: number): DenseTensor => {
  const data = new Float32Array(numRows * width).fill(0.5);
  return { shape: [numRows, width], data, isInteger: false };
};
const integers = (...data: number[]): DenseTensor => ({
  shape: [data.length],
  data: Float64Array.from(data),
  isInteger: true,
});

function hiddenSizeOf(family: string): number {
  const config = readJson(`${modelFolderOf(family)}/config.json`) as Record<string, any>;
  const thinker = config.thinker_config ?? config;
  return (thinker.text_config ?? thinker).hidden_size as number;
}

/** The addon, and what it makes of rows. */
function watchedAddon(): { addon: NativeAddon; made: NativeMedia[] } {
  const real = loadAddon();
  const made: NativeMedia[] = [];
  const embeddings: NativeAddon['embeddings'] = async (...rows) => {
    const media = await real.embeddings(...rows);
    made.push(media);
    return media;
  };
  return { addon: Object.assign(Object.create(real) as NativeAddon, { embeddings }), made };
}

function isHeld(media: NativeMedia): boolean {
  try {
    return media.sizeBytes > 0;
  } catch {
    return false;
  }
}

interface Case {
  family: string;
  modality: Modality;
  tensors: (width: number) => Record<string, DenseTensor>;
  /** What `tensors` lack, or have wrong. */
  right: Record<string, DenseTensor>;
}

const CASES: readonly Case[] = [
  {
    family: 'qwen2_5_omni',
    modality: 'audio',
    tensors: (width) => ({ embeddings: floats(25, width), audio_feature_lengths: integers(98) }),
    right: { audio_feature_lengths: integers(100) },
  },
  {
    family: 'qwen3_vl',
    modality: 'video',
    tensors: (width) => ({
      embeddings: floats(2, width * NUM_DEEPSTACK_VECTORS),
      video_grid_thw: integers(2, 2, 2),
      timestamps: integers(1),
    }),
    right: { timestamps: integers(1, 2) },
  },
  {
    family: 'minicpm_v',
    modality: 'image',
    tensors: (width) => ({ embeddings: floats(30, width), image_sizes: integers(30, 30) }),
    right: { image_sizes: integers(220, 110) },
  },
];

describe('rows that do not fit their extras leave no memory behind', () => {
  const present = [...FAMILIES, ...QWEN3_FAMILIES, ...PICTURE_FAMILIES];
  for (const { family, modality, tensors, right } of CASES.filter((one) => present.includes(one.family))) {
    test(family, async () => {
      const { addon, made } = watchedAddon();
      const processor = await createProcessor(modelFolderOf(family), addon);
      const wrong = tensors(hiddenSizeOf(family));
      await assert.rejects(
        async () => processor.processEmbeddings(modality, wrong),
        (error: { code?: string }) => error.code === 'invalid_embedding',
      );
      assert.deepEqual(made.filter(isHeld), []);
      await processor.processEmbeddings(modality, { ...wrong, ...right });
      assert.equal(made.filter(isHeld).length, 1);
    });
  }
});
