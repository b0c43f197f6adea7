import { SensoriumError } from '../errors.js';
import type { NativeAddon, NativeMedia, NativeViewRules } from '../native/addon.js';
import {
  invalidFile,
  numberAt,
  objectAt,
  type CheckpointFiles,
  type JsonObject,
} from './checkpoint-files.js';
import { processRows, readHiddenSize } from './embeddings.js';
import { expandPlaceholders, type ItemWriter } from './expand.js';
import { CLIP_COLOURS, readPatchRules, viewImage } from './picture-rules.js';
import type { Processor } from './types.js';

const FILE = 'preprocessor_config.json';
/** ViT-L/14-336, which the checkpoints name without its sizes. */
const DEFAULT_TOWER = { imageSize: 336, patchSize: 14 };
const DEFAULT_NUM_CROPS = 4;
/** More tiles than a prompt has room for. */
const MAX_CROPS = 256;
const BILINEAR = 2;
const DEFAULT_BOS_ID = 1;
const DEFAULT_VOCAB_SIZE = 32_064;
const DEFAULT_HIDDEN_SIZE = 3072;
const NO_VIDEO = { fps: 2, minFrames: 1, maxFrames: 32, frameFactor: 1 };
/** Numbers that a picture of one conversation may have. */
const MAX_NUMBER = 1024;

/** Phi-3.5-vision and VLM2Vec: tiles and an overview; the text behind each picture begins like a prompt of its own. */
export function createPhi3VProcessor(family: string, files: CheckpointFiles, addon: NativeAddon): Processor {
  const { config, imageProcessor } = files;
  const clip = objectAt(objectAt(config, 'img_processor') ?? {}, 'clip_config') ?? {};
  const tile = numberAt(clip, 'image_size') ?? DEFAULT_TOWER.imageSize;
  const patchSize = numberAt(clip, 'patch_size') ?? DEFAULT_TOWER.patchSize;
  const patches = readPatchRules({ ...imageProcessor, resample: BILINEAR }, FILE, patchSize, CLIP_COLOURS);
  const usualNumCrops = readNumCrops(imageProcessor);
  const width = readHiddenSize(config, DEFAULT_HIDDEN_SIZE);
  const bosId = numberAt(config, 'bos_token_id') ?? DEFAULT_BOS_ID;
  // The tokenizer does not know the numbered tokens; an id behind its vocabulary stands for all of them.
  const tokenId = numberAt(config, 'vocab_size') ?? DEFAULT_VOCAB_SIZE;
  const placeholders = {
    image: { token: '<|image_1|>', tokenId, spelling: '<|image_{n}|>\n', isInline: true },
  };
  const refused = (kind: string): SensoriumError =>
    new SensoriumError('unsupported_modality', `This model does not take ${kind} input.`);
  const side = Math.floor(tile / patchSize / 2);
  const rowId = readRowId(files);
  const write: ItemWriter = (builder, item) => {
    builder.addItem(item).addRun(rowId, item.numTokens);
    builder.add(bosId);
    return 1;
  };
  return {
    family,
    modalities: ['image'],
    placeholders,
    addsSpecialTokens: true,
    addedTokens: Array.from({ length: MAX_NUMBER }, (_, i) => ({ token: `<|image_${i + 1}|>`, tokenId })),
    samplingRate: 16_000,
    videoSampling: NO_VIDEO,
    async process(decoded, options) {
      if (decoded.kind !== 'image') throw refused(decoded.kind);
      const numCrops = requestedCrops(options, usualNumCrops);
      const views: NativeViewRules = { kind: 'hd', tile, numCrops };
      const media = await viewImage(addon, decoded, views, patches);
      return { modality: 'image', media, numTokens: numTokensOf(media, side), sizeBytes: media.sizeBytes };
    },
    async processEmbeddings(modality, tensors) {
      if (modality !== 'image') throw refused(modality);
      return await processRows(addon, modality, tensors, { width });
    },
    expand: (tokenIds, items) => expandPlaceholders(tokenIds, items, placeholders, write),
  };
}

/** A token of the vocabulary that stands in for each encoder row: no text has it. */
function readRowId({ config, specialTokens }: CheckpointFiles): number {
  for (const [id, text] of specialTokens) if (text === '<|image|>') return id;
  return numberAt(config, 'pad_token_id', 'eos_token_id') ?? 0;
}

/** Cells of the tiles and the overview, a separator behind each of their lines, one between the two. */
function numTokensOf({ tiles }: NativeMedia, side: number): number {
  const { rows = 0, columns = 0 } = tiles ?? {};
  return (rows * columns + 1) * side * side + 1 + (rows + 1) * side;
}

function readNumCrops(config: JsonObject): number {
  const count = config['num_crops'] ?? DEFAULT_NUM_CROPS;
  if (isCount(count)) return count;
  throw invalidFile(FILE, 'has no valid num_crops');
}

function requestedCrops(options: JsonObject, usual: number): number {
  const asked = options['num_crops'] ?? usual;
  if (isCount(asked)) return asked;
  throw new SensoriumError('invalid_value', `num_crops must be a whole number from 1 to ${MAX_CROPS}.`);
}

const isCount = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_CROPS;
