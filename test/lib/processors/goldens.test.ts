import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ProcessedItemCache } from '../../../lib/media/cache.js';
import { MediaResolver } from '../../../lib/media/resolver.js';
import type { MediaOptions, MediaPart, MediaSource } from '../../../lib/media/types.js';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import type { KeyedItem, Processor } from '../../../lib/processors/types.js';
import { openModelFolder } from '../../../lib/model-folder/model-folder.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { policyWith } from '../media/support/context.js';
import { NEEDS_FFMPEG } from '../support/ffmpeg.js';
import { openTensors } from '../media/support/goldens.js';
import {
  FAMILIES,
  goldenCases,
  modelFolderOf,
  QWEN3_FAMILIES,
  readInt32Tensor,
  type GoldenCase,
} from '../support/goldens.js';

const addon = loadAddon();

function readFileUrl(golden: GoldenCase, url: string): MediaSource {
  return { kind: 'bytes', bytes: readFileSync(join(golden.folder, url.replace('file:', ''))) };
}

/** The media parts of a golden request, in order. */
function partsOf(golden: GoldenCase): MediaPart[] {
  const contents = (golden.request.messages ?? []).flatMap(
    (message: { content: unknown }) => message.content,
  );
  const parts: MediaPart[] = [];
  for (const content of contents) {
    const param = `part ${parts.length}`;
    if (content.type === 'image_url') {
      parts.push({ modality: 'image', source: readFileUrl(golden, content.image_url.url), param });
    } else if (content.type === 'input_audio') {
      parts.push({ modality: 'audio', source: readFileUrl(golden, content.input_audio.data), param });
    } else if (content.type === 'video_url') {
      const { url, frames, fps } = content.video_url;
      const list = (): MediaSource => ({
        kind: 'frames',
        frames: frames.map((frame: string) => readFileUrl(golden, frame)),
        fps,
      });
      parts.push({ modality: 'video', source: frames ? list() : readFileUrl(golden, url), param });
    }
  }
  return parts;
}

/** Hands the items of a golden's media to `use`. */
async function withGoldenItems(
  golden: GoldenCase,
  processor: Processor,
  use: (items: KeyedItem[]) => void,
): Promise<void> {
  const cache = new ProcessedItemCache(0);
  const resolver = new MediaResolver({ policy: policyWith(), processor, cache, modelId: golden.family });
  const options: MediaOptions = {
    mediaIoKwargs: golden.request.media_io_kwargs,
    mmProcessorKwargs: golden.request.mm_processor_kwargs,
  };
  try {
    await resolver.withItems(partsOf(golden), options, { tenant: '' }, use);
  } finally {
    await resolver.close();
  }
}

/** The prompt before expansion: every stretch of placeholders is one, of the kind that it starts with. */
function collapse(ids: readonly number[], processor: Processor): number[] {
  const placeholders = new Set(Object.values(processor.placeholders).map(({ tokenId }) => tokenId));
  return ids.filter((id, i) => !placeholders.has(id) || !placeholders.has(ids[i - 1] as number));
}

/** Removes the audio_bos and audio_eos around a video: expansion adds them. */
function withoutSoundBorders(ids: readonly number[], videoTokenId: number): number[] {
  const at = ids.indexOf(videoTokenId);
  return ids.filter((_id, i) => i !== at - 1 && i !== at + 1);
}

const rowsOf = (items: KeyedItem[]): Float32Array[] => {
  const rows: Float32Array[] = [];
  for (const { media } of items) {
    const features = media.features();
    const width = features.length / media.numRows;
    for (let row = 0; row < media.numRows; row++)
      rows.push(features.subarray(row * width, (row + 1) * width));
  }
  return rows;
};

/** Patches of all items in order against the stored rows: at most 1 % of the values off by up to two levels. */
function checkPatches(golden: GoldenCase, items: KeyedItem[], name: string): void {
  const stored = openTensors(join(golden.folder, 'expected.safetensors'))(name);
  if (items.length === 0 || stored === undefined) return assert.equal(items.length, 0);
  const rows = rowsOf(items);
  const { tensors } = golden.expected;
  const indices = tensors[`${name}.rows`] ? readInt32Tensor(golden, `${name}.rows`) : [...rows.keys()];
  const width = tensors[name][1][1];
  assert.equal(tensors[name][1][0], indices.length);
  let numOff = 0;
  for (const [k, index] of indices.entries()) {
    const row = rows[index] as Float32Array;
    assert.equal(row.length, width);
    for (let i = 0; i < width; i++) {
      const difference = Math.abs((row[i] as number) - (stored[k * width + i] as number));
      assert.ok(difference <= 0.03, `${name} row ${index} differs by ${difference}`);
      if (difference > 1e-5) numOff++;
    }
  }
  assert.ok(numOff <= 0.01 * stored.length, `${numOff} of ${stored.length} values differ`);
}

/** Log-mel frames, stored as [bins, frames], against ours, [frames, bins]. */
function checkFeatures(golden: GoldenCase, items: KeyedItem[]): void {
  const tensors = openTensors(join(golden.folder, 'expected.safetensors'));
  for (const [n, { media }] of items.entries()) {
    const stored = tensors(`input_features.${n}`) as Float32Array;
    const features = media.features();
    const numBins = features.length / media.numRows;
    assert.equal(stored.length, features.length);
    for (let frame = 0; frame < media.numRows; frame++) {
      for (let bin = 0; bin < numBins; bin++) {
        const ours = features[frame * numBins + bin] as number;
        const theirs = stored[bin * media.numRows + frame] as number;
        assert.ok(Math.abs(ours - theirs) <= 1e-4, `frame ${frame}, bin ${bin}: ${ours} and ${theirs}`);
      }
    }
  }
}

function checkCounts(golden: GoldenCase, items: KeyedItem[]): void {
  for (const modality of ['image', 'video'] as const) {
    const expected = golden.expected[`${modality}s`] as { grid_thw: number[]; tokens: number }[];
    const ours = items.filter((item) => item.modality === modality);
    assert.deepEqual(
      ours.map(({ media }) => media.grid),
      expected.map(({ grid_thw }) => grid_thw),
    );
    assert.deepEqual(
      ours.map(({ numTokens }) => numTokens),
      expected.map(({ tokens }) => tokens),
    );
  }
  const seconds = (golden.expected.videos as { second_per_grid_t: number }[]).map(
    (video) => video.second_per_grid_t,
  );
  for (const [i, item] of items.filter(({ modality }) => modality === 'video').entries()) {
    assert.ok(Math.abs((item.secondsPerGrid as number) - (seconds[i] as number)) < 1e-6);
  }
}

const TIMED_CLIP =
  /(<\d+\.\d seconds>)(<\|vision_start\|><\|video_pad\|><\|vision_end\|>)(?:<\d+\.\d seconds>\2)*/g;

/** Ids of a prompt that tells the times of frames, before expansion. */
function encodeUntimed(golden: GoldenCase, tokenizer: Tokenizer): number[] {
  return tokenizer.encode(golden.expected.prompt_text.replaceAll(TIMED_CLIP, '$2'));
}

for (const family of [...FAMILIES, ...QWEN3_FAMILIES]) {
  describe(`${family} goldens`, async () => {
    const processor = await createProcessor(modelFolderOf(family), addon);
    const { tokenizerJson, tokenizerConfig } = await openModelFolder(modelFolderOf(family));
    const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig);
    for (const golden of goldenCases(family)) {
      const hasClip = golden.expected.videos?.some(
        (video: { decoded_frames_used?: unknown }) => video.decoded_frames_used,
      );
      test(golden.name, hasClip ? NEEDS_FFMPEG : {}, () =>
        withGoldenItems(golden, processor, (items) => {
          if (items.length > 0) checkCounts(golden, items);
          checkPatches(
            golden,
            items.filter(({ modality }) => modality === 'image'),
            'pixel_values',
          );
          checkPatches(
            golden,
            items.filter(({ modality }) => modality === 'video'),
            'pixel_values_videos',
          );

          const inputIds = readInt32Tensor(golden, 'input_ids');
          const hasVideoSound = items.some(({ audio }) => audio !== undefined);
          const videoTokenId = processor.placeholders.video?.tokenId ?? -1;
          const collapsed = collapse(inputIds, processor);
          const plain = hasVideoSound ? withoutSoundBorders(collapsed, videoTokenId) : collapsed;
          const prompt = family.startsWith('qwen3_vl') ? encodeUntimed(golden, tokenizer) : plain;
          const expanded = processor.expand(prompt, items, tokenizer);
          assert.deepEqual([...expanded.promptIds], inputIds);
          checkRuns(expanded, processor, inputIds);
          const sounds = expanded.media
            .map(({ item }) => item)
            .filter(({ modality }) => modality === 'audio');
          checkFeatures(golden, sounds);
        }),
      );
    }
  });
}

/** Every placeholder of the prompt belongs to exactly one run, and each item has as many as it has rows. */
function checkRuns(expanded: ReturnType<Processor['expand']>, processor: Processor, ids: number[]): void {
  const owned = new Set<number>();
  for (const { item, runs } of expanded.media) {
    const tokenId = processor.placeholders[item.modality]?.tokenId;
    assert.equal(
      runs.reduce((sum, [, count]) => sum + count, 0),
      item.numTokens,
    );
    for (const [offset, count] of runs) {
      for (let i = offset; i < offset + count; i++) {
        assert.equal(ids[i], tokenId);
        assert.ok(!owned.has(i));
        owned.add(i);
      }
    }
  }
  const placeholders = new Set(Object.values(processor.placeholders).map(({ tokenId }) => tokenId));
  assert.equal(owned.size, ids.filter((id) => placeholders.has(id)).length);
  const { image, video, audio } = expanded.numTokensByModality;
  assert.equal(image + video + audio, owned.size);
}
