import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ProcessedItemCache } from '../../../lib/media/cache.js';
import { MediaResolver } from '../../../lib/media/resolver.js';
import type { MediaPart, MediaSource } from '../../../lib/media/types.js';
import { openModelFolder } from '../../../lib/model-folder/model-folder.js';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import type { KeyedItem, Processor } from '../../../lib/processors/types.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { policyWith } from '../media/support/context.js';
import { openTensors } from '../media/support/goldens.js';
import {
  goldenCases,
  modelFolderOf,
  PICTURE_FAMILIES,
  readInt32Tensor,
  type GoldenCase,
} from '../support/goldens.js';

const PATCH = 14;
/** Pixels of each stored sample of Phi-3.5's pictures: [:, :, ::8, ::8] of 336 x 336. */
const SAMPLE_STEP = 8;

const addon = loadAddon();

const readFileUrl = (golden: GoldenCase, url: string): MediaSource => ({
  kind: 'bytes',
  bytes: readFileSync(join(golden.folder, url.replace('file:', ''))),
});

/** What /v1/embeddings takes: a text, or messages. */
const asMessages = (input: unknown): unknown => (Array.isArray(input) ? input : []);

/** The media of a golden request, in order. */
function partsOf(golden: GoldenCase): MediaPart[] {
  const messages = (golden.request.messages ?? asMessages(golden.request.input)) as { content: unknown }[];
  const contents: any[] = messages.flatMap(({ content }) => (Array.isArray(content) ? content : []));
  return contents.flatMap((content): MediaPart[] => {
    if (content.type === 'image_url')
      return [{ modality: 'image', source: readFileUrl(golden, content.image_url.url), param: 'image' }];
    if (content.type !== 'video_url') return [];
    const { frames, fps } = content.video_url;
    const source: MediaSource = {
      kind: 'frames',
      frames: frames.map((frame: string) => readFileUrl(golden, frame)),
      fps,
    };
    return [{ modality: 'video', source, param: 'video' }];
  });
}

/** Hands the items of a golden's media to `use`. */
async function withGoldenItems(
  golden: GoldenCase,
  processor: Processor,
  use: (items: KeyedItem[]) => void,
): Promise<void> {
  const cache = new ProcessedItemCache(0);
  const resolver = new MediaResolver({ policy: policyWith(), processor, cache, modelId: golden.family });
  const { media_io_kwargs: mediaIoKwargs, mm_processor_kwargs: mmProcessorKwargs } = golden.request;
  try {
    const options = { mediaIoKwargs, mmProcessorKwargs };
    await resolver.withItems(partsOf(golden), options, { tenant: '' }, use);
  } finally {
    await resolver.close();
  }
}

/** Compares numbers: at most 1 % of them off by up to two levels. */
class PixelCheck {
  private numValues = 0;
  private numOff = 0;

  add(found: number, expected: number, where: string): void {
    const difference = Math.abs(found - expected);
    assert.ok(difference <= 0.03, `${where}: ${found} instead of ${expected}`);
    this.numValues++;
    if (difference > 1e-5) this.numOff++;
  }

  finish(): void {
    assert.ok(this.numValues > 0);
    assert.ok(this.numOff <= 0.01 * this.numValues, `${this.numOff} of ${this.numValues} values differ`);
  }
}

/** Pixel (x, y) of channel c of the item's picture `index`, whose side is `cells` patches. */
function pixelOf(
  features: Float32Array,
  cells: number,
  index: number,
  c: number,
  y: number,
  x: number,
): number {
  const patch = (index * cells + Math.floor(y / PATCH)) * cells + Math.floor(x / PATCH);
  return features[((patch * 3 + c) * PATCH + (y % PATCH)) * PATCH + (x % PATCH)] as number;
}

interface Stored {
  values: Float32Array;
  /** Pictures of one item, and their side. */
  numPictures: number;
  side: number;
  /** Pixels between stored ones. */
  step: number;
}

/** Every stored pixel of an item's pictures; the reference pads items to as many pictures. */
function checkPixels({ media }: KeyedItem, index: number, { values, numPictures, side, step }: Stored): void {
  const features = media.features();
  const cells = media.grid[1];
  const check = new PixelCheck();
  for (let p = 0; p < Math.min(numPictures, media.grid[0]); p++) {
    for (let i = 0; i < 3 * side * side; i++) {
      const c = Math.floor(i / (side * side));
      const y = (Math.floor(i / side) % side) * step;
      const x = (i % side) * step;
      const expected = values[(index * numPictures + p) * 3 * side * side + i] as number;
      check.add(pixelOf(features, cells, p, c, y, x), expected, `picture ${p}, channel ${c}, (${x}, ${y})`);
    }
  }
  check.finish();
}

/** Slices as strips [3, patch, patches * patch]; the first and the last are stored. */
function checkStrips(golden: GoldenCase, { media }: KeyedItem, index: number): void {
  const tensors = openTensors(join(golden.folder, 'expected.safetensors'));
  const features = media.features();
  const sizes = golden.expected.images[index].tgt_sizes as [number, number][];
  let firstPatch = 0;
  for (const [slice, [height, width]] of sizes.entries()) {
    const strip = tensors(`pixel_values.${index}.${slice}`) as Float32Array | undefined;
    if (strip !== undefined) {
      const check = new PixelCheck();
      const stripWidth = height * width * PATCH;
      assert.equal(strip.length, 3 * PATCH * stripWidth);
      for (let i = 0; i < strip.length; i++) {
        const x = i % stripWidth;
        const row = Math.floor(i / stripWidth); // channel * PATCH + y
        const at = (firstPatch + Math.floor(x / PATCH)) * 3 * PATCH * PATCH + row * PATCH + (x % PATCH);
        check.add(features[at] as number, strip[i] as number, `slice ${slice}, number ${i}`);
      }
      check.finish();
    }
    firstPatch += height * width;
  }
  assert.equal(media.numRows, firstPatch);
}

function checkItem(golden: GoldenCase, item: KeyedItem, index: number): void {
  if (golden.family === 'minicpm_v') return checkStrips(golden, item, index);
  const { tensors } = golden.expected;
  const file = openTensors(join(golden.folder, 'expected.safetensors'));
  const usual = item.modality === 'video' ? 'pixel_values_videos' : 'pixel_values';
  const sample = `pixel_values_sample.${index}`;
  const name = tensors[sample] === undefined ? usual : sample;
  const shape = tensors[name][1] as number[];
  const values = file(name) as Float32Array;
  if (name === sample)
    return checkPixels(item, 0, {
      values,
      numPictures: shape[0] as number,
      side: shape[3] as number,
      step: SAMPLE_STEP,
    });
  const numPictures = shape.length === 5 ? (shape[1] as number) : 1;
  checkPixels(item, index, { values, numPictures, side: shape.at(-1) as number, step: 1 });
}

for (const family of PICTURE_FAMILIES) {
  describe(`${family} goldens`, async () => {
    const folder = modelFolderOf(family);
    const processor = await createProcessor(folder, addon);
    const { tokenizerJson, tokenizerConfig } = await openModelFolder(folder);
    const spellings = [...Object.values(processor.placeholders), ...(processor.addedTokens ?? [])];
    const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig, spellings);
    for (const golden of goldenCases(family)) {
      test(golden.name, () =>
        withGoldenItems(golden, processor, (items) => {
          for (const modality of ['image', 'video'] as const) {
            const own = items.filter((item) => item.modality === modality);
            own.forEach((item, index) => checkItem(golden, item, index));
            const expected = (golden.expected[`${modality}s`] ?? []) as { tokens: number }[];
            assert.deepEqual(
              own.map(({ numTokens }) => numTokens),
              expected.map(({ tokens }) => tokens),
            );
          }
          const ids = tokenizer.encode(golden.expected.prompt_text);
          const prompt = processor.addsSpecialTokens === true ? tokenizer.withSpecialTokens(ids) : ids;
          const expanded = processor.expand(prompt, items, tokenizer);
          // The reference counts Phi-3.5's pictures with negative ids.
          const inputIds = readInt32Tensor(golden, 'input_ids');
          const isRow = new Set(
            expanded.media.flatMap(({ runs }) => runs.flatMap(([offset, count]) => range(offset, count))),
          );
          assert.deepEqual(
            [...expanded.promptIds].map((id, i) =>
              isRow.has(i) && (inputIds[i] as number) < 0 ? inputIds[i] : id,
            ),
            inputIds,
          );
          assert.equal(
            isRow.size,
            items.reduce((sum, { numTokens }) => sum + numTokens, 0),
          );
        }),
      );
    }
  });
}

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
