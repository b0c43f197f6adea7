import { SensoriumError } from '../errors.js';
import type { DenseTensor } from '../media/types.js';
import type { NativeAddon, NativeViewRules } from '../native/addon.js';
import { invalidFile, numberAt, type CheckpointFiles, type JsonObject } from './checkpoint-files.js';
import { invalidEmbedding, processRows, readHiddenSize, readIntegers } from './embeddings.js';
import { expandPlaceholders, type ItemWriter, type PromptBuilder } from './expand.js';
import { isSide, readPatchRules, SIGLIP_COLOURS, viewImage } from './picture-rules.js';
import type { KeyedItem, Processor, TextCodec, TileGrid } from './types.js';

const FILE = 'preprocessor_config.json';
const DEFAULT_NUM_QUERIES = 64;
const DEFAULT_VOCAB_SIZE = 151_666;
/** Qwen2Config's. */
const DEFAULT_HIDDEN_SIZE = 4096;
const DEFAULT_MAX_SLICES = 9;
const DEFAULT_SCALE_RESOLUTION = 448;
const DEFAULT_PATCH_SIZE = 14;
/** More slices than a prompt has room for. */
const MAX_SLICES = 1024;
const SPELLING = '(<image>./</image>)';
const NO_VIDEO = { fps: 1, minFrames: 1, maxFrames: 32, frameFactor: 1 };

type SliceRules = Extract<NativeViewRules, { kind: 'slices' }>;

/** Ids of the tokens that stand around and for a picture's rows. */
interface PictureTokens {
  imageStart: number;
  imageEnd: number;
  sliceStart: number;
  sliceEnd: number;
  unknown: number;
  /** Absent: pictures have no numbers. */
  number?: { start: number; end: number } | undefined;
}

/** MiniCPM-V 2.6: a numbered picture, then its slices line by line, the same number of rows for each. */
export function createMinicpmVProcessor(
  family: string,
  files: CheckpointFiles,
  addon: NativeAddon,
): Processor {
  const { config, imageProcessor } = files;
  const patches = readPatchRules(
    imageProcessor,
    FILE,
    numberAt(imageProcessor, 'patch_size') ?? DEFAULT_PATCH_SIZE,
    SIGLIP_COLOURS,
  );
  const usualRules = readSliceRules(imageProcessor);
  const numQueries = readNumQueries(config, imageProcessor);
  const width = readHiddenSize(config, DEFAULT_HIDDEN_SIZE);
  const tokens = readTokens(files);
  // The template's spelling of a picture is text; an id behind the vocabulary stands for it.
  const tokenId = numberAt(config, 'vocab_size') ?? DEFAULT_VOCAB_SIZE;
  const placeholders = { image: { token: SPELLING, tokenId, spelling: SPELLING } };
  const refused = (kind: string): SensoriumError =>
    new SensoriumError('unsupported_modality', `This model does not take ${kind} input.`);
  return {
    family,
    modalities: ['image'],
    placeholders,
    samplingRate: 16_000,
    videoSampling: NO_VIDEO,
    async process(decoded, options) {
      if (decoded.kind !== 'image') throw refused(decoded.kind);
      const media = await viewImage(addon, decoded, withRequestedSlices(usualRules, options), patches);
      const { rows = 0, columns = 0 } = media.tiles ?? {};
      const numTokens = numQueries * (1 + rows * columns);
      return { modality: 'image', media, numTokens, sizeBytes: media.sizeBytes, tileGrid: { rows, columns } };
    },
    async processEmbeddings(modality, tensors) {
      if (modality !== 'image') throw refused(modality);
      const tileGrid = readTileGrid(tensors, (size) =>
        addon.planSlices(...size, usualRules, patches.patchSize),
      );
      const numTokens = numQueries * (1 + tileGrid.rows * tileGrid.columns);
      const checkCount = (numRows: number): void => {
        if (numRows === numTokens) return;
        const reason = `has ${numRows} rows, but a picture of image_sizes stands for ${numTokens}`;
        throw invalidEmbedding('image_embeds', reason);
      };
      const item = await processRows(addon, modality, withFlatRows(tensors), { width, checkCount });
      return { ...item, tileGrid };
    },
    expand: (tokenIds, items, text) =>
      expandPlaceholders(tokenIds, items, placeholders, createWriter(tokens, numQueries, text)),
  };
}

function createWriter(tokens: PictureTokens, numQueries: number, text: TextCodec | undefined): ItemWriter {
  let numWritten = 0;
  return (builder, item) => {
    writePicture(builder, item, { tokens, numQueries, text, number: numWritten++ });
    return 1;
  };
}

interface PictureText {
  tokens: PictureTokens;
  numQueries: number;
  text: TextCodec | undefined;
  /** Pictures are counted from 0. */
  number: number;
}

function writePicture(
  builder: PromptBuilder,
  item: KeyedItem,
  { tokens, numQueries, text, number }: PictureText,
): void {
  const addText = (plain: string): void => {
    for (const id of text?.encodePlain(plain) ?? []) builder.add(id);
  };
  if (tokens.number !== undefined) {
    builder.add(tokens.number.start);
    addText(String(number));
    builder.add(tokens.number.end);
  }
  const runs = builder.addItem(item);
  const addPicture = (start: number, end: number): void => {
    builder.add(start);
    runs.addRun(tokens.unknown, numQueries);
    builder.add(end);
  };
  addPicture(tokens.imageStart, tokens.imageEnd);
  const { rows, columns } = item.tileGrid ?? { rows: 0, columns: 0 };
  for (let row = 0; row < rows; row++) {
    if (row > 0) addText('\n');
    for (let column = 0; column < columns; column++) addPicture(tokens.sliceStart, tokens.sliceEnd);
  }
}

/** Throws `invalid_checkpoint` where the tokenizer lacks one of them. */
function readTokens(files: CheckpointFiles): PictureTokens {
  const { imageProcessor, config } = files;
  const idOf = (key: string, usual: string): number => {
    const spelling = typeof imageProcessor[key] === 'string' ? imageProcessor[key] : usual;
    for (const [id, text] of files.specialTokens) if (text === spelling) return id;
    throw invalidFile('tokenizer_config.json', `has no token ${spelling}`);
  };
  const isNumbered = (imageProcessor['use_image_id'] ?? config['use_image_id'] ?? true) === true;
  return {
    imageStart: idOf('im_start', '<image>'),
    imageEnd: idOf('im_end', '</image>'),
    sliceStart: idOf('slice_start', '<slice>'),
    sliceEnd: idOf('slice_end', '</slice>'),
    unknown: idOf('unk', '<unk>'),
    number: isNumbered
      ? { start: idOf('im_id_start', '<image_id>'), end: idOf('im_id_end', '</image_id>') }
      : undefined,
  };
}

function readNumQueries(config: JsonObject, imageProcessor: JsonObject): number {
  const count = numberAt(config, 'query_num') ?? DEFAULT_NUM_QUERIES;
  if (!isSide(count)) throw invalidFile('config.json', 'has no valid query_num');
  const stated = numberAt(imageProcessor, 'image_feature_size') ?? count;
  if (stated !== count)
    throw invalidFile(FILE, `has image_feature_size ${stated}, but query_num in config.json is ${count}`);
  return count;
}

function readSliceRules(config: JsonObject): SliceRules {
  const maxSlices =
    config['slice_mode'] === false ? 1 : (numberAt(config, 'max_slice_nums') ?? DEFAULT_MAX_SLICES);
  const scaleResolution = numberAt(config, 'scale_resolution') ?? DEFAULT_SCALE_RESOLUTION;
  if (!isCount(maxSlices)) throw invalidFile(FILE, 'has no valid max_slice_nums');
  if (!isSide(scaleResolution) || scaleResolution > 4096)
    throw invalidFile(FILE, 'has no valid scale_resolution');
  return { kind: 'slices', maxSlices, scaleResolution };
}

function withRequestedSlices(rules: SliceRules, options: JsonObject): SliceRules {
  const maxSlices = options['max_slice_nums'] ?? rules.maxSlices;
  if (isCount(maxSlices)) return { ...rules, maxSlices };
  throw new SensoriumError('invalid_value', `max_slice_nums must be a whole number from 1 to ${MAX_SLICES}.`);
}

const isCount = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_SLICES;

/** Slices of the picture whose [width, height] stands beside its rows. */
function readTileGrid(
  tensors: Record<string, DenseTensor>,
  plan: (size: [width: number, height: number]) => TileGrid,
): TileGrid {
  const [pictureWidth = 0, pictureHeight = 0] = readIntegers('image_sizes', tensors, 2);
  if (isSide(pictureWidth) && isSide(pictureHeight)) return plan([pictureWidth, pictureHeight]);
  throw invalidEmbedding('image_sizes', 'must be the width and the height of a picture');
}

/** Rows may come picture by picture, [slices, queries, width]. */
function withFlatRows(tensors: Record<string, DenseTensor>): Record<string, DenseTensor> {
  const { embeddings } = tensors;
  if (embeddings?.shape.length !== 3) return tensors;
  const [slices = 0, queries = 0, columns = 0] = embeddings.shape;
  return { ...tensors, embeddings: { ...embeddings, shape: [slices * queries, columns] } };
}
