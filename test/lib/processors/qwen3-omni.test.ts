import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Modality } from '../../../lib/media/types.js';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import type { KeyedItem, ProcessedItem } from '../../../lib/processors/types.js';
import { fakeItem } from '../media/support/fake-processor.js';
import { rejectsWith } from '../media/support/errors.js';
import { GOLDENS, modelFolderOf } from '../support/goldens.js';

const processor = await createProcessor(modelFolderOf('qwen3_omni_moe'), loadAddon());
const idOf = (modality: 'image' | 'video' | 'audio'): number => processor.placeholders[modality]!.tokenId;
const [AUDIO_START, AUDIO_END] = [498, 499];

const soundOf = (numSamples: number): Parameters<typeof processor.process>[0] => ({
  kind: 'audio',
  samples: Float32Array.from({ length: numSamples }, (_, i) => Math.sin(i / 7) / 2),
  samplingRate: 16_000,
});
const heard = async (numSamples: number, key = 'sound'): Promise<KeyedItem> => ({
  ...(await processor.process(soundOf(numSamples), {})),
  key,
});

describe('sounds', () => {
  test('take the tokens of the reference', async () => {
    const file = join(GOLDENS, 'components', 'token_counts', 'cases.json');
    const counts = JSON.parse(readFileSync(file, 'utf8')).qwen3_omni_tokens as Record<string, number>;
    for (const [numFrames, numTokens] of Object.entries(counts)) {
      if (Number(numFrames) < 2) continue;
      assert.equal((await heard(Number(numFrames) * 160)).numTokens, numTokens, numFrames);
    }
    assert.equal((await heard(1)).numTokens, 1);
    await rejectsWith(processor.process(soundOf(0), {}), 'invalid_audio');
  });

  test('alone drop what is less than a frame; beside a longer one silence fills it up', async () => {
    const alone = await heard(16_600, 'a');
    const longer = await heard(32_000, 'b');
    const prompt = [idOf('audio'), 1, idOf('audio')];
    const [first, second] = processor.expand(prompt, [alone, longer]).media.map(({ item }) => item);
    assert.deepEqual([alone.media.numRows, first?.media.numRows], [103, 104]);
    assert.equal(second, longer);
    assert.notEqual(first?.key, alone.key);
    assert.equal(processor.expand([idOf('audio')], [alone]).media[0]?.item, alone);
    const both = processor.expand(prompt, [alone, { ...alone, key: 'c' }]).media;
    assert.deepEqual(
      both.map(({ item }) => item.key),
      ['a', 'c'],
    );
  });

  test('a short one has the chunk of a longer one beside it', async () => {
    const short = await heard(4800, 'a');
    const keys = new Set<string>();
    for (const [numSamples, numRows] of [
      [8000, 50],
      [16_000, 100],
      [64_000, 100],
    ] as const) {
      const items = [short, await heard(numSamples, 'b')];
      const [first] = processor.expand([idOf('audio'), idOf('audio')], items).media;
      assert.equal(first?.item.media.numRows, numRows);
      assert.equal(first?.item.numTokens, 4);
      keys.add(first?.item.key ?? '');
    }
    assert.equal(keys.size, 2);
  });
});

/** A clip of `numPatches` temporal patches of two tokens each, with its sound. */
function clip(numPatches: number, secondsPerGrid: number, numAudioTokens: number): KeyedItem {
  const base = fakeItem('video', 10);
  const audio = { ...fakeItem('audio', 10), numTokens: numAudioTokens };
  const media = { ...base.media, grid: [numPatches, 2, 4] as [number, number, number] };
  return { ...base, media, numTokens: 2 * numPatches, secondsPerGrid, audio, key: 'clip' };
}

describe('a clip with its sound', () => {
  const letters = new Map([
    [idOf('video'), 'v'],
    [idOf('audio'), 'a'],
    [AUDIO_START, '<'],
    [AUDIO_END, '>'],
  ]);
  const turns = (item: KeyedItem): string =>
    [...processor.expand([idOf('video')], [item]).promptIds].map((id) => letters.get(id)).join('');

  test('takes tokens in the order of their time, the clip first', () => {
    assert.equal(turns(clip(2, 1, 15)), `<vv${'a'.repeat(13)}vvaa>`);
    assert.equal(turns(clip(3, 0.1, 4)), '<vvaavvavva>');
    assert.equal(turns(clip(3, 1, 2)), '<vvaavvvv>');
    assert.equal(turns(clip(1, 1, 3)), '<vvaaa>');
  });

  test('its runs belong to both', () => {
    const { media, numTokensByModality } = processor.expand([7, idOf('video'), 8], [clip(2, 1, 15)]);
    assert.deepEqual(
      media.map(({ item, isInterleavedWithAudio }) => [item.modality, isInterleavedWithAudio]),
      [
        ['video', true],
        ['audio', false],
      ],
    );
    assert.deepEqual(media[0]?.runs, [
      [2, 2],
      [17, 2],
    ]);
    assert.deepEqual(numTokensByModality, { image: 0, video: 4, audio: 15 });
  });
});

const taken = async (modality: Modality, tensors: Record<string, any>): Promise<ProcessedItem> =>
  processor.processEmbeddings(modality, tensors);

test('rows of pictures have columns for deepstack levels, those of sounds have none', async () => {
  const rows = (count: number, width: number): any => ({
    data: new Float32Array(count * width),
    shape: [count, width],
    isInteger: false,
  });
  const image_grid_thw: any = { data: Float64Array.of(1, 2, 4), shape: [3], isInteger: true };
  const picture = await taken('image', { embeddings: rows(2, 72 * 3), image_grid_thw });
  assert.equal(picture.numTokens, 2);
  assert.equal((await taken('audio', { embeddings: rows(5, 72) })).numTokens, 5);
  await rejectsWith(taken('audio', { embeddings: rows(5, 72 * 3) }), 'invalid_embedding');
});
