import { SensoriumError } from '../errors.js';
import type { NativeAddon, NativeViewRules } from '../native/addon.js';
import { invalidFile, numberAt, objectAt, type CheckpointFiles } from './checkpoint-files.js';
import { processRows, readHiddenSize } from './embeddings.js';
import { expandPlaceholders, writeOneRun } from './expand.js';
import {
  CLIP_COLOURS,
  isSide,
  readPatchRules,
  readSize,
  readTowerSize,
  toLevels,
  viewImage,
  type TowerSize,
} from './picture-rules.js';
import { specialToken } from './special-tokens.js';
import type { Processor } from './types.js';

const FILE = 'preprocessor_config.json';
const DEFAULT_TOWER: TowerSize = { imageSize: 336, patchSize: 14 };
/** LlamaConfig's hidden_size, which config.json leaves out where it is that. */
const DEFAULT_HIDDEN_SIZE = 4096;
const NO_VIDEO = { fps: 2, minFrames: 1, maxFrames: 32, frameFactor: 1 };

/** LLaVA-1.5: the middle of a picture as CLIP's processor cuts it, one token a patch. */
export function createLlavaProcessor(family: string, files: CheckpointFiles, addon: NativeAddon): Processor {
  const tower = readTowerSize(files, DEFAULT_TOWER);
  const patches = readPatchRules(files.imageProcessor, FILE, tower.patchSize, CLIP_COLOURS);
  const views = readViews(files, tower, toLevels(patches.mean));
  const width = readHiddenSize(files.config, DEFAULT_HIDDEN_SIZE);
  const image = specialToken(files, files.config, ['image_token_index', 'image_token_id'], '<image>');
  const placeholders = { image: { token: image.text, tokenId: image.id, spelling: image.text } };
  const numClassTokens = files.config['vision_feature_select_strategy'] === 'full' ? 1 : 0;
  const refused = (kind: string): SensoriumError =>
    new SensoriumError('unsupported_modality', `This model does not take ${kind} input.`);
  return {
    family,
    modalities: ['image'],
    placeholders,
    addsSpecialTokens: true,
    samplingRate: 16_000,
    videoSampling: NO_VIDEO,
    async process(decoded) {
      if (decoded.kind !== 'image') throw refused(decoded.kind);
      const media = await viewImage(addon, decoded, views, patches);
      const [, rows, columns] = media.grid;
      const numTokens = rows * columns + numClassTokens;
      return { modality: 'image', media, numTokens, sizeBytes: media.sizeBytes };
    },
    async processEmbeddings(modality, tensors) {
      if (modality !== 'image') throw refused(modality);
      return await processRows(addon, modality, tensors, { width });
    },
    expand: (tokenIds, items) => expandPlaceholders(tokenIds, items, placeholders, writeOneRun),
  };
}

/** What is cut of a picture. Throws `invalid_checkpoint` where that is not the tower's picture. */
function readViews(
  files: CheckpointFiles,
  { imageSize, patchSize }: TowerSize,
  background: [number, number, number],
): NativeViewRules {
  const config = files.imageProcessor;
  if (config['do_resize'] === false) throw invalidFile(FILE, 'asks for pictures that are not resized');
  const stated = objectAt(config, 'size') ?? {};
  const shortestEdge = numberAt(stated, 'shortest_edge') ?? numberAt(config, 'size');
  const size = readSize(config['size']) ?? { width: imageSize, height: imageSize };
  const crop = config['do_center_crop'] === false ? undefined : readSize(config['crop_size'] ?? imageSize);
  if (shortestEdge !== undefined && !isSide(shortestEdge))
    throw invalidFile(FILE, 'has no valid shortest_edge');
  const seen = crop ?? (shortestEdge === undefined ? size : undefined);
  const side = Math.floor(imageSize / patchSize);
  if (seen === undefined || [seen.width, seen.height].some((x) => Math.floor(x / patchSize) !== side)) {
    const reason = `does not make pictures of ${imageSize} x ${imageSize}, which vision_config in config.json expects`;
    throw invalidFile(FILE, reason);
  }
  return {
    kind: 'clip',
    ...size,
    shortestEdge,
    cropWidth: crop?.width,
    cropHeight: crop?.height,
    squareBackground: config['do_pad'] === true ? background : undefined,
  };
}
