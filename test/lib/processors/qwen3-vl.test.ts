import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openModelFolder } from '../../../lib/model-folder/model-folder.js';
import type { Modality } from '../../../lib/media/types.js';
import { loadAddon } from '../../../lib/native/load.js';
import { clipSize } from '../../../lib/processors/clip-size.js';
import { createProcessor } from '../../../lib/processors/index.js';
import { formatTenths, patchTimes } from '../../../lib/processors/timestamps.js';
import type { KeyedItem, ProcessedItem } from '../../../lib/processors/types.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { fakeItem } from '../media/support/fake-processor.js';
import { rejectsWith, throwsWith } from '../media/support/errors.js';
import { GOLDENS, modelFolderOf } from '../support/goldens.js';

const folder = modelFolderOf('qwen3_vl');
const processor = await createProcessor(folder, loadAddon());
const { tokenizerJson, tokenizerConfig } = await openModelFolder(folder);
const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig);

const metadata = (framesIndices: number[], fps: number): Parameters<typeof patchTimes>[0] => ({
  fps,
  framesIndices,
  totalNumFrames: 100,
  duration: 100 / fps,
});

describe('times of frames', () => {
  test('are the middle of each pair, the last frame repeated', () => {
    assert.deepEqual(patchTimes(metadata([0, 10, 20, 29, 39], 8), 2), [0.625, 3.0625, 4.875]);
    assert.deepEqual(patchTimes(metadata([0], 24), 2), [0]);
  });

  test('are written as Python writes them', () => {
    const texts = [0.25, 0.75, 1.25, 1.45, 2.5999999999999996, 0.05, 0, 10, 12.35, 1.5, 99.95];
    assert.deepEqual(texts.map(formatTenths), [
      '0.2',
      '0.8',
      '1.2',
      '1.4',
      '2.6',
      '0.1',
      '0.0',
      '10.0',
      '12.3',
      '1.5',
      '100.0',
    ]);
  });
});

describe('the size of a clip', () => {
  test('equals the reference', () => {
    const file = join(GOLDENS, 'components', 'smart_resize', 'cases.json');
    const cases = JSON.parse(readFileSync(file, 'utf8')).qwen3_vl_video as Record<string, number>[];
    for (const entry of cases) {
      const clip = { numFrames: entry.frames!, width: entry.width!, height: entry.height! };
      const limits = {
        factor: entry.factor!,
        temporalPatchSize: 2,
        minPixels: entry.min_pixels!,
        maxPixels: entry.max_pixels!,
      };
      const { width, height } = clipSize(clip, limits);
      assert.deepEqual([height, width], entry.out_hw, JSON.stringify(entry));
    }
    assert.ok(cases.length > 20);
  });

  test('is never that of a thread', () => {
    const limits = { factor: 32, temporalPatchSize: 2, minPixels: 4096, maxPixels: 65536 };
    throwsWith(() => clipSize({ numFrames: 4, width: 32, height: 32 * 201 }, limits), 'invalid_video');
    assert.deepEqual(clipSize({ numFrames: 1, width: 8, height: 16 }, limits), { width: 32, height: 64 });
  });
});

describe('frames that are resized while they are decoded', () => {
  const size = { width: 640, height: 480 };

  test('have the size of the clip', async () => {
    const resizer = processor.frameResizer?.(size, 4, {});
    assert.ok(resizer);
    const frame = new Uint8Array(640 * 480 * 3).fill(7);
    const small = await resizer.resize(frame);
    assert.equal(small.length, resizer.width * resizer.height * 3);
    const video = { kind: 'video', metadata: metadata([0, 1, 2, 3], 2), sampledFps: 2 } as const;
    const whole = await processor.process({ ...video, ...size, frames: Array(4).fill(frame) }, {});
    const { width, height } = resizer;
    const resized = await processor.process({ ...video, width, height, frames: Array(4).fill(small) }, {});
    assert.deepEqual(resized.media.grid, whole.media.grid);
    assert.deepEqual(resized.media.features(), whole.media.features());
  });

  test('stay as they are where they do not become smaller', () => {
    assert.equal(processor.frameResizer?.({ width: 64, height: 32 }, 4, {}), undefined);
  });
});

function clip(times: number[], tokensPerPatch: number): KeyedItem {
  const base = fakeItem('video', 10);
  return {
    ...base,
    media: { ...base.media, grid: [times.length, 2, 2 * tokensPerPatch] },
    numTokens: times.length * tokensPerPatch,
    patchTimes: times,
    key: 'clip',
  };
}

const expandText = (prompt: string, items: KeyedItem[]): ReturnType<typeof processor.expand> =>
  processor.expand(tokenizer.encode(prompt), items, tokenizer);
const textOf = (ids: Iterable<number>): string => tokenizer.decode([...ids], { skipSpecialTokens: false });

describe('a clip in a prompt', () => {
  const pads = (count: number): string => '<|video_pad|>'.repeat(count);
  const patch = (time: string, count: number): string =>
    `<${time} seconds><|vision_start|>${pads(count)}<|vision_end|>`;
  const SPELLING = '<|vision_start|><|video_pad|><|vision_end|>';

  test('has a run for each temporal patch, with its time before it', () => {
    const { promptIds, media, numTokensByModality } = expandText(`a${SPELLING}b`, [clip([0.25, 1.25], 3)]);
    assert.equal(textOf(promptIds), `a${patch('0.2', 3)}${patch('1.2', 3)}b`);
    assert.deepEqual(
      media[0]?.runs.map(([, count]) => count),
      [3, 3],
    );
    assert.deepEqual(numTokensByModality, { image: 0, video: 6, audio: 0 });
  });

  test('has the tokens of the text it stands for, whatever precedes it', () => {
    for (const before of ['', 'Look: ', 'What?', ' -- ', 'x\n', '你好，', '"', 'so:  ', "it's (", '12 ']) {
      const { promptIds } = expandText(`${before}${SPELLING} then`, [clip([0.4], 2)]);
      const expected = tokenizer.encode(`${before}${patch('0.4', 2)} then`);
      assert.deepEqual([...promptIds], expected, JSON.stringify(before));
    }
  });

  test('may stand without borders, beside others and beside pictures', () => {
    const picture: KeyedItem = { ...fakeItem('image', 10), numTokens: 2, key: 'picture' };
    const items = [clip([1], 1), picture, { ...clip([2], 1), key: 'other' }];
    const prompt = `<|video_pad|>!<|vision_start|><|image_pad|><|vision_end|>${SPELLING}`;
    const { promptIds, media } = expandText(prompt, items);
    const seen = '<|vision_start|><|image_pad|><|image_pad|><|vision_end|>';
    assert.equal(textOf(promptIds), `${patch('1.0', 1)}!${seen}${patch('2.0', 1)}`);
    assert.deepEqual(
      media.map(({ item }) => item.key),
      ['clip', 'picture', 'other'],
    );
  });

  test('is told from a missing one', () => {
    throwsWith(() => expandText(SPELLING, []), 'placeholder_mismatch');
    throwsWith(() => expandText('none', [clip([1], 1)]), 'placeholder_mismatch');
  });
});

const tensor = (data: number[], shape: number[], isInteger = false): any => ({
  data: isInteger ? Float64Array.from(data) : Float32Array.from(data),
  shape,
  isInteger,
});

const taken = async (modality: Modality, tensors: Record<string, any>): Promise<ProcessedItem> =>
  processor.processEmbeddings(modality, tensors);

describe('ready-made rows', () => {
  const WIDTH = 72 * 3;
  const rows = (count: number, width = WIDTH): any => tensor(Array(count * width).fill(0.5), [count, width]);
  const grid = tensor([2, 2, 4], [3], true);

  test('have columns for each deepstack level', async () => {
    const picture = { embeddings: rows(2), image_grid_thw: tensor([1, 2, 4], [3], true) };
    assert.equal((await taken('image', picture)).numTokens, 2);
    const narrow = { ...picture, embeddings: rows(2, 72) };
    await rejectsWith(taken('image', narrow), 'invalid_embedding');
  });

  test('of a clip bring times, or take those of an even rate', async () => {
    const given = { embeddings: rows(4), video_grid_thw: grid, timestamps: tensor([0.5, 2.5], [2]) };
    assert.deepEqual((await taken('video', given)).patchTimes, [0.5, 2.5]);
    const single = { ...given, timestamps: tensor([1.45, 2.6], [2]) };
    assert.deepEqual((await taken('video', single)).patchTimes, [1.45, 2.6]);
    const even = { embeddings: rows(4), video_grid_thw: grid, second_per_grid_ts: tensor([2], [1]) };
    assert.deepEqual((await taken('video', even)).patchTimes, [0.5, 2.5]);
    for (const timestamps of [tensor([1], [1]), tensor([1, -1], [2]), tensor([1, NaN], [2])]) {
      const bad = { ...given, timestamps };
      await rejectsWith(taken('video', bad), 'invalid_embedding');
    }
  });

  test('and sounds are not heard', async () => {
    await rejectsWith(taken('audio', { embeddings: rows(1) }), 'unsupported_modality');
    const sound = { kind: 'audio', samples: new Float32Array(1600), samplingRate: 16_000 } as const;
    await rejectsWith(processor.process(sound, {}), 'unsupported_modality');
  });
});
