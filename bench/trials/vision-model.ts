import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { LLM, type RequestResult } from '../../dist/index.js';
import { computeShares } from '../limits.js';
import { writeCheckpoint } from '../random-checkpoint.js';
import { DEMO_FOLDER } from '../paths.js';
import {
  prefillFlops,
  textConfig,
  textTensors,
  VL_TEXT,
  VL_VISION,
  visionFlops,
  visionTensors,
} from '../shapes.js';
import { check, median, type Figure, type Trial, type TrialContext } from '../trial.js';

const WIDTH = 896;
const HEIGHT = 672;
const NUM_PATCHES = (WIDTH / 14) * (HEIGHT / 14);
const NUM_REPEATS = 3;

/** Ids of the demo model's tokenizer. */
const TOKENS = {
  image_token_id: 1174,
  video_token_id: 1175,
  vision_start_token_id: 1171,
  vision_end_token_id: 1172,
};

/** A checkpoint of the Qwen2-VL shape; written once a run. */
export function visionCheckpoint(workFolder: string): string {
  const folder = join(workFolder, 'qwen2-vl-shape');
  if (!existsSync(join(folder, 'model.safetensors'))) {
    writeCheckpoint(folder, {
      config: {
        architectures: ['Qwen2VLForConditionalGeneration'],
        model_type: 'qwen2_vl',
        ...textConfig(VL_TEXT),
        ...TOKENS,
        rope_scaling: { type: 'mrope', mrope_section: [16, 24, 24] },
        vision_config: {
          depth: VL_VISION.depth,
          embed_dim: VL_VISION.embedDim,
          num_heads: VL_VISION.numHeads,
          mlp_ratio: VL_VISION.mlpRatio,
          hidden_size: VL_TEXT.hidden,
          in_chans: 3,
          patch_size: VL_VISION.patchSize,
          spatial_merge_size: 2,
          temporal_patch_size: 2,
        },
      },
      files: {
        'preprocessor_config.json': {
          min_pixels: 3136,
          max_pixels: 12845056,
          patch_size: 14,
          temporal_patch_size: 2,
          merge_size: 2,
          image_mean: [0.48145466, 0.4578275, 0.40821073],
          image_std: [0.26862954, 0.26130258, 0.27577711],
          image_processor_type: 'Qwen2VLImageProcessor',
          processor_class: 'Qwen2VLProcessor',
        },
      },
      tensors: [...textTensors(VL_TEXT), ...visionTensors(VL_TEXT.hidden)],
      tokenizerFrom: DEMO_FOLDER,
    });
  }
  return folder;
}

/** A decoded picture of smooth colours and noise, different for each seed. */
function picture(seed: number): { data: Uint8Array; width: number; height: number; channels: 3 } {
  const data = new Uint8Array(WIDTH * HEIGHT * 3);
  let state = seed + 1;
  for (let i = 0; i < data.length; i++) {
    state = (state * 1664525 + 1013904223) >>> 0;
    data[i] = ((i / 977) & 127) + (state >>> 25);
  }
  return { data, width: WIDTH, height: HEIGHT, channels: 3 };
}

async function runImage(context: TrialContext): Promise<Figure[]> {
  const llm = await LLM.load({
    model: visionCheckpoint(context.workFolder),
    dtype: 'bfloat16',
    maxModelLen: 2048,
    maxNumSeqs: 4,
  });
  const ask = (seed: number, hasData = true): Promise<RequestResult> =>
    llm.generate(
      {
        prompt: [
          5,
          6,
          7,
          TOKENS.vision_start_token_id,
          TOKENS.image_token_id,
          TOKENS.vision_end_token_id,
          8,
          9,
        ],
        multiModalData: { image: hasData ? picture(seed) : null },
        multiModalUuids: { image: `picture ${seed}` },
      },
      { temperature: 0, maxTokens: 1, ignoreEos: true },
    );
  const cold: number[] = [];
  const warm: number[] = [];
  const named: number[] = [];
  for (let i = 0; i <= NUM_REPEATS; i++) {
    const result = await ask(i);
    check(result.usage.imageTokens === NUM_PATCHES / 4, `${NUM_PATCHES / 4} image tokens`);
    const again = await ask(i);
    const byName = await ask(i, false);
    check(
      byName.outputs[0]?.tokenIds[0] === result.outputs[0]?.tokenIds[0],
      'the same token for the name alone',
    );
    check(
      again.outputs[0]?.tokenIds[0] === result.outputs[0]?.tokenIds[0],
      'the same token for the same picture',
    );
    check(
      again.usage.cachedMedia === 1 || again.usage.cachedTokens > 0,
      'the picture is known the second time',
    );
    if (i === 0) continue;
    cold.push(result.timings.timeToFirstTokenMs);
    warm.push(again.timings.timeToFirstTokenMs);
    named.push(byName.timings.timeToFirstTokenMs);
  }
  const flops = visionFlops(NUM_PATCHES, VL_TEXT.hidden) + prefillFlops(VL_TEXT, NUM_PATCHES / 4 + 7);
  const ms = median(cold);
  const shares = computeShares(context.limits, llm.isa, flops, ms);
  const bar = shares[0]?.of.startsWith('AMX') ? 0.25 : 0.65;
  await llm.close();
  return [
    {
      name: `${WIDTH}x${HEIGHT} image, cold time to first token`,
      value: ms,
      unit: 'ms',
      shares,
      target: `>= ${bar * 100} %`,
      isMet: (shares[0]?.value ?? 0) >= bar,
    },
    {
      name: 'the same image again',
      value: median(warm),
      unit: 'ms',
      shares: [],
      target: 'less than a tenth of cold',
      isMet: median(warm) < ms / 10,
    },
    {
      name: 'the same image by its uuid alone',
      value: median(named),
      unit: 'ms',
      shares: [],
      target: '<= 30 ms',
      isMet: median(named) <= 30,
    },
  ];
}

export const VISION_TRIALS: Trial[] = [
  { name: 'image', title: 'Qwen2-VL shape (vision 12 x 768, text 12 x 1024)', run: runImage },
];
