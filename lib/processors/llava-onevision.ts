import { SensoriumError } from '../errors.js';
import type { NativeAddon, NativeMedia, NativeViewRules } from '../native/addon.js';
import { invalidFile, type CheckpointFiles, type JsonObject } from './checkpoint-files.js';
import { processRows, readHiddenSize } from './embeddings.js';
import { expandPlaceholders, writeOneRun } from './expand.js';
import {
  isSide,
  readPatchRules,
  readSize,
  readTowerSize,
  SIGLIP_COLOURS,
  toLevels,
  viewImage,
  viewVideo,
  type TowerSize,
} from './picture-rules.js';
import { specialToken } from './special-tokens.js';
import type { PlaceholderTokens, Processor } from './types.js';

const IMAGE_FILE = 'preprocessor_config.json';
const VIDEO_FILE = 'video_preprocessor_config.json';
const DEFAULT_TOWER: TowerSize = { imageSize: 384, patchSize: 14 };
const DEFAULT_MAX_TILES = 9;
/** Qwen2Config's. */
const DEFAULT_HIDDEN_SIZE = 4096;
/** Frames that the model was trained on. */
const VIDEO_SAMPLING = { fps: 1, minFrames: 1, maxFrames: 32, frameFactor: 1 };
/** The option that tells a picture that its request has others. */
const IS_ONE_OF_SEVERAL = 'is_one_of_several_images';

/**
 * LLaVA-OneVision: one picture as an overview and tiles, each of several as one padded tile, clips as pooled frames.
 */
export function createLlavaOnevisionProcessor(
  family: string,
  files: CheckpointFiles,
  addon: NativeAddon,
): Processor {
  const tower = readTowerSize(files, DEFAULT_TOWER);
  const imagePatches = readPatchRules(files.imageProcessor, IMAGE_FILE, tower.patchSize, SIGLIP_COLOURS);
  const videoPatches = readPatchRules(files.videoProcessor, VIDEO_FILE, tower.patchSize, SIGLIP_COLOURS);
  const tile = readTile(files.imageProcessor, IMAGE_FILE, tower);
  readTile(files.videoProcessor, VIDEO_FILE, tower);
  const whole: NativeViewRules = { kind: 'clip', width: tile, height: tile };
  const tiled: NativeViewRules = {
    kind: 'anyres',
    tile,
    pinpoints: readPinpoints(files, tile),
    maxTiles: readMaxTiles(files.config),
  };
  const padded: NativeViewRules = { ...whole, squareBackground: toLevels(imagePatches.mean) };
  const side = Math.floor(tile / tower.patchSize);
  const placeholders = readPlaceholders(files);
  const width = readHiddenSize(files.config, DEFAULT_HIDDEN_SIZE);
  return {
    family,
    modalities: ['image', 'video'],
    placeholders,
    addsSpecialTokens: true,
    samplingRate: 16_000,
    videoSampling: VIDEO_SAMPLING,
    optionsOfRequest: (parts) => ({
      [IS_ONE_OF_SEVERAL]: parts.filter(({ modality }) => modality === 'image').length > 1,
    }),
    async process(decoded, options) {
      if (decoded.kind === 'image') {
        const views = options[IS_ONE_OF_SEVERAL] === true ? padded : tiled;
        const media = await viewImage(addon, decoded, views, imagePatches);
        return {
          modality: 'image',
          media,
          numTokens: numImageTokens(media, side),
          sizeBytes: media.sizeBytes,
        };
      }
      if (decoded.kind === 'audio') throw hasNoHearing();
      const media = await viewVideo(addon, decoded, whole, videoPatches);
      const numTokens = media.grid[0] * Math.ceil(side / 2) ** 2 + 1;
      return { modality: 'video', media, numTokens, sizeBytes: media.sizeBytes };
    },
    async processEmbeddings(modality, tensors) {
      if (modality === 'audio') throw hasNoHearing();
      return await processRows(addon, modality, tensors, { width });
    },
    expand: (tokenIds, items) => expandPlaceholders(tokenIds, items, placeholders, writeOneRun),
  };
}

const hasNoHearing = (): SensoriumError =>
  new SensoriumError('unsupported_modality', 'This model does not take audio input.');

/** The overview, then lines that end with a newline; without tiles one newline. */
function numImageTokens({ tiles }: NativeMedia, side: number): number {
  return side * side + (tiles === null ? 1 : tiles.packedHeight * (tiles.packedWidth + 1));
}

/** Side of a tile, which must be the tower's picture. Throws `invalid_checkpoint`. */
function readTile(config: JsonObject, name: string, { imageSize }: TowerSize): number {
  const size = readSize(config['size']) ?? { width: imageSize, height: imageSize };
  if (size.width === imageSize && size.height === imageSize) return imageSize;
  throw invalidFile(
    name,
    `does not make pictures of ${imageSize} x ${imageSize}, which vision_config in config.json expects`,
  );
}

/** Sizes that a picture's tiles may have together. Throws `invalid_checkpoint`. */
function readPinpoints({ config, imageProcessor }: CheckpointFiles, tile: number): [number, number][] {
  const stated = imageProcessor['image_grid_pinpoints'] ?? config['image_grid_pinpoints'];
  if (stated === undefined || stated === null) return usualPinpoints(tile);
  const isPoint = (point: unknown): boolean =>
    Array.isArray(point) && point.length === 2 && point.every((size) => isSide(size) && size % tile === 0);
  if (Array.isArray(stated) && stated.length > 0 && stated.every(isPoint))
    return stated as [number, number][];
  throw invalidFile(IMAGE_FILE, `has no valid image_grid_pinpoints: multiples of ${tile} are expected`);
}

function usualPinpoints(tile: number): [number, number][] {
  const counts = [1, 2, 3, 4, 5, 6];
  return counts.flatMap((rows) => counts.map((columns): [number, number] => [rows * tile, columns * tile]));
}

/** The number at the end of "anyres_max_9". Throws `invalid_checkpoint`. */
function readMaxTiles(config: JsonObject): number {
  const rule = config['vision_aspect_ratio'] ?? `anyres_max_${DEFAULT_MAX_TILES}`;
  const match = typeof rule === 'string' ? /^anyres(?:_max_(\d{1,4}))?$/.exec(rule) : null;
  const count = Number(match?.[1] ?? DEFAULT_MAX_TILES);
  if (match === null || count < 1 || count > 4096)
    throw invalidFile('config.json', 'has no valid vision_aspect_ratio');
  return count;
}

function readPlaceholders(files: CheckpointFiles): Record<'image' | 'video', PlaceholderTokens> {
  const placeholder = (modality: 'image' | 'video'): PlaceholderTokens => {
    const keys = [`${modality}_token_index`, `${modality}_token_id`];
    const { id, text } = specialToken(files, files.config, keys, `<${modality}>`);
    return { token: text, tokenId: id, spelling: text };
  };
  return { image: placeholder('image'), video: placeholder('video') };
}
