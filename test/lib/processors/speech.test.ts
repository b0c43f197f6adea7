import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { DecodedAudio } from '../../../lib/media/types.js';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import type { KeyedItem, Processor, SpeechProcessor } from '../../../lib/processors/types.js';
import { openTensors } from '../media/support/goldens.js';
import {
  goldenCases,
  modelFolderOf,
  readInt32Tensor,
  SPEECH_FAMILIES,
  type GoldenCase,
} from '../support/goldens.js';

const addon = loadAddon();

/** Samples of a golden's 16-bit WAV file. */
function soundOf(golden: GoldenCase, index: number): DecodedAudio {
  const bytes = readFileSync(join(golden.folder, `m${index + 1}.wav`));
  const numSamples = (bytes.length - 44) / 2;
  const samples = new Float32Array(numSamples).map((_, i) => bytes.readInt16LE(44 + 2 * i) / 32768);
  return { kind: 'audio', samples, samplingRate: 16_000 };
}

async function itemsOf(golden: GoldenCase, processor: Processor): Promise<KeyedItem[]> {
  const { audios } = golden.expected as { audios: unknown[] };
  const items = audios.map(async (_, i) => ({
    ...(await processor.process(soundOf(golden, i), {})),
    key: `${golden.name}/${i}`,
  }));
  return Promise.all(items);
}

/** Stored frames, [bins, frames], against the first of ours. */
function checkFeatures(golden: GoldenCase, items: readonly KeyedItem[]): void {
  const tensors = openTensors(join(golden.folder, 'expected.safetensors'));
  for (const [n, { media }] of items.entries()) {
    const stored = tensors(`input_features.${n}`) as Float32Array;
    const features = media.features();
    const numBins = features.length / media.numRows;
    const numFrames = stored.length / numBins;
    for (let i = 0; i < stored.length; i++) {
      const ours = features[(i % numFrames) * numBins + Math.floor(i / numFrames)] as number;
      assert.ok(Math.abs(ours - (stored[i] as number)) <= 1e-4, `item ${n}, value ${i}`);
    }
  }
}

/** The prompt before expansion: each stretch of an item's tokens is one placeholder. */
function collapse(golden: GoldenCase, processor: Processor, counts: number[]): number[] {
  const placeholder = processor.placeholders.audio?.tokenId ?? -1;
  const ids = readInt32Tensor(golden, 'input_ids');
  const audios = golden.expected.audios as { token_start?: number }[];
  for (let i = audios.length - 1; i >= 0; i--) {
    const start = audios[i]?.token_start ?? nthRun(ids, placeholder, i);
    ids.splice(start, counts[i] ?? 0, placeholder);
  }
  return ids;
}

/** Where the n-th stretch of `id` begins. */
function nthRun(ids: readonly number[], id: number, n: number): number {
  const starts = ids.flatMap((value, i) => (value === id && ids[i - 1] !== id ? [i] : []));
  return starts[n] as number;
}

for (const family of SPEECH_FAMILIES) {
  describe(`${family} goldens`, async () => {
    const processor = await createProcessor(modelFolderOf(family), addon);
    for (const golden of goldenCases(family)) {
      test(golden.name, async () => {
        const items = await itemsOf(golden, processor);
        const counts = items.map(({ numTokens }) => numTokens);
        assert.deepEqual(
          counts,
          golden.expected.audios.map(({ tokens }: { tokens: number }) => tokens),
        );
        const expanded = processor.expand(collapse(golden, processor, counts), items);
        assert.deepEqual([...expanded.promptIds], readInt32Tensor(golden, 'input_ids'));
        assert.equal(
          expanded.numTokensByModality.audio,
          counts.reduce((sum, count) => sum + count, 0),
        );
        checkFeatures(
          golden,
          expanded.media.map(({ item }) => item),
        );
      });
    }

    test('takes ready-made rows of its width and refuses others', async () => {
      const width = 80;
      const rows = (
        numColumns: number,
      ): { embeddings: { data: Float32Array; shape: number[]; isInteger: boolean } } => ({
        embeddings: { data: new Float32Array(3 * numColumns), shape: [3, numColumns], isInteger: false },
      });
      assert.equal((await processor.processEmbeddings('audio', rows(width))).numTokens, 3);
      const refuses = (work: () => unknown, code: string): Promise<void> =>
        assert.rejects(Promise.resolve().then(work), { code });
      await refuses(() => processor.processEmbeddings('audio', rows(width + 1)), 'invalid_embedding');
      await refuses(() => processor.processEmbeddings('image', rows(width)), 'unsupported_modality');
      const picture = { kind: 'image', data: new Uint8Array(3), width: 1, height: 1 } as const;
      await refuses(() => processor.process(picture, {}), 'unsupported_modality');
    });
  });
}

describe('prompts of Qwen2-Audio', async () => {
  const processor = await createProcessor(modelFolderOf('qwen2_audio'), addon);
  const golden = goldenCases('qwen2_audio').find(({ name }) => name === 'audio_0p3s') as GoldenCase;
  const [AUDIO, BOS, EOS] = [492, 493, 494];

  test('get the borders of a sound where they spell none', async () => {
    const [item] = (await itemsOf(golden, processor)) as [KeyedItem];
    const sound = Array.from({ length: item.numTokens }, () => AUDIO);
    assert.deepEqual([...processor.expand([1, AUDIO, 2], [item]).promptIds], [1, BOS, ...sound, EOS, 2]);
    assert.deepEqual([...processor.expand([1, BOS, AUDIO, EOS], [item]).promptIds], [1, BOS, ...sound, EOS]);
  });

  test('refuse sounds that are too short to hear', async () => {
    const blip: DecodedAudio = { kind: 'audio', samples: new Float32Array(160), samplingRate: 16_000 };
    await assert.rejects(processor.process(blip, {}), { code: 'invalid_audio' });
  });
});

describe('sounds of Ultravox', async () => {
  const processor = await createProcessor(modelFolderOf('ultravox'), addon);
  const tone = (numSamples: number): DecodedAudio => ({
    kind: 'audio',
    samples: new Float32Array(numSamples).map((_, i) => Math.sin(i / 9) / 2),
    samplingRate: 16_000,
  });

  test('are padded to the longest of their prompt, as far as their last token reaches', async () => {
    const PLACEHOLDER = processor.placeholders.audio?.tokenId ?? -1;
    const keyed = async (numSamples: number, key: string): Promise<KeyedItem> => ({
      ...(await processor.process(tone(numSamples), {})),
      key,
    });
    const short = await keyed(20 * 160, 'short');
    const framesBeside = async (numFrames: number): Promise<number> => {
      const other = await keyed(numFrames * 160, 'other');
      const { media } = processor.expand([PLACEHOLDER, PLACEHOLDER], [short, other]);
      return media[0]?.item.media.numRows ?? 0;
    };
    assert.equal(processor.expand([PLACEHOLDER], [short]).media[0]?.item.media.numRows, 20);
    assert.equal(await framesBeside(10), 20);
    assert.equal(await framesBeside(25), 25);
    // Two tokens of 16 frames, and one frame that the convolution sees behind them.
    assert.equal(await framesBeside(400), 33);
  });
});

describe('the windows of Whisper', async () => {
  const { speech } = await createProcessor(modelFolderOf('whisper'), addon);
  const hear = (speech as SpeechProcessor).analyse;
  const noise = (seconds: number): DecodedAudio => ({
    kind: 'audio',
    samples: new Float32Array(seconds * 16_000).map((_, i) => Math.sin(i * i) / 3),
    samplingRate: 16_000,
  });

  test('are whole, with silence behind a short sound', async () => {
    const features = await hear(noise(2));
    assert.deepEqual([features.numSoundFrames, features.numFrames], [200, 3000]);
    const window = (speech as SpeechProcessor).window(features, 0).media;
    assert.equal(window.numRows, 3000);
    assert.equal(window, features.media);
  });

  test('of a long sound follow each other, zeros behind the last', async () => {
    const features = await hear(noise(40));
    assert.deepEqual([features.numSoundFrames, features.numFrames], [4000, 4000]);
    const all = features.media.features();
    const window = (speech as SpeechProcessor).window(features, 1500).media.features();
    assert.deepEqual(window.subarray(0, 2500 * 80), all.subarray(1500 * 80));
    assert.ok(window.subarray(2500 * 80).every((value) => value === 0));
    assert.equal(window.length, 3000 * 80);
  });
});
