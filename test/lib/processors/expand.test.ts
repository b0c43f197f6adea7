import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Modality } from '../../../lib/media/types.js';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import type { KeyedItem } from '../../../lib/processors/types.js';
import { fakeItem } from '../media/support/fake-processor.js';
import { throwsWith } from '../media/support/errors.js';
import { modelFolderOf } from '../support/goldens.js';

const addon = loadAddon();
const omni = await createProcessor(modelFolderOf('qwen2_5_omni'), addon);
const IMAGE = omni.placeholders.image!.tokenId;
const VIDEO = omni.placeholders.video!.tokenId;
const AUDIO = omni.placeholders.audio!.tokenId;
const [AUDIO_BOS, AUDIO_EOS] = [498, 499];

function item(modality: Modality, numTokens: number, key: string): KeyedItem {
  return { ...fakeItem(modality, 10), numTokens, key };
}

/** A clip of `numSteps` temporal patches of one token each, with its sound. */
function clip(numSteps: number, secondsPerGrid: number, numAudioTokens: number): KeyedItem {
  const base = item('video', numSteps, 'clip');
  const audio = { ...fakeItem('audio', 10), numTokens: numAudioTokens };
  return { ...base, media: { ...base.media, grid: [numSteps, 2, 2] }, secondsPerGrid, audio };
}

describe('placeholders', () => {
  test('are filled in the order of each modality', () => {
    const items = [item('audio', 1, 'a'), item('image', 2, 'b'), item('image', 3, 'c')];
    const { promptIds, media, numTokensByModality } = omni.expand([1, IMAGE, 2, AUDIO, IMAGE, 3], items);
    assert.deepEqual([...promptIds], [1, IMAGE, IMAGE, 2, AUDIO, IMAGE, IMAGE, IMAGE, 3]);
    assert.deepEqual(
      media.map((entry) => [entry.item.key, entry.runs]),
      [
        ['b', [[1, 2]]],
        ['a', [[4, 1]]],
        ['c', [[5, 3]]],
      ],
    );
    assert.deepEqual(numTokensByModality, { image: 5, video: 0, audio: 1 });
  });

  test('must be as many as there are items', () => {
    const one = item('image', 2, 'a');
    for (const [ids, items] of [
      [[1, 2], [one]],
      [[IMAGE], []],
      [[IMAGE, IMAGE], [one]],
      [[VIDEO], [one]],
      [[IMAGE], [one, item('audio', 1, 'b')]],
    ] as [number[], KeyedItem[]][]) {
      throwsWith(() => omni.expand(ids, items), 'placeholder_mismatch');
    }
  });

  test('a prompt without media stays as it is', () => {
    assert.deepEqual([...omni.expand([1, 2, 3], []).promptIds], [1, 2, 3]);
  });

  test('are spelled with their borders', () => {
    assert.equal(omni.placeholders.image?.spelling, '<|vision_bos|><|IMAGE|><|vision_eos|>');
    assert.equal(omni.placeholders.video?.spelling, '<|vision_bos|><|VIDEO|><|vision_eos|>');
    assert.equal(omni.placeholders.audio?.spelling, '<|audio_bos|><|AUDIO|><|audio_eos|>');
  });

  test('of the VL families are their own', async () => {
    const vl = await createProcessor(modelFolderOf('qwen2_5_vl'), addon);
    assert.deepEqual(vl.modalities, ['image', 'video']);
    assert.deepEqual(vl.placeholders.image, {
      token: '<|image_pad|>',
      tokenId: 508,
      spelling: '<|vision_start|><|image_pad|><|vision_end|>',
    });
  });
});

describe('a clip with its sound', () => {
  const lengths = (ids: Int32Array): string =>
    [...ids]
      .map((id) =>
        id === VIDEO ? 'v' : id === AUDIO ? 'a' : id === AUDIO_BOS ? '<' : id === AUDIO_EOS ? '>' : '.',
      )
      .join('');

  test('takes turns of two seconds', () => {
    // One step a second is 25 positions: two steps and 50 sound tokens a chunk.
    const { promptIds, media, numTokensByModality } = omni.expand([1, VIDEO, 2], [clip(3, 1, 60)]);
    assert.equal(lengths(promptIds), `.<vv${'a'.repeat(50)}v${'a'.repeat(10)}>.`);
    assert.deepEqual(
      media.map((entry) => [entry.item.key, entry.isInterleavedWithAudio, entry.runs]),
      [
        [
          'clip',
          true,
          [
            [2, 2],
            [54, 1],
          ],
        ],
        [
          'clip/audio',
          false,
          [
            [4, 50],
            [55, 10],
          ],
        ],
      ],
    );
    assert.deepEqual(numTokensByModality, { image: 0, video: 3, audio: 60 });
  });

  test('begins a chunk exactly at its bound, whatever the rate', () => {
    // At 3 frames a second the fourth patch lies at 2 s, which 3 * (2 / 3 * 25) falls just short of.
    const { promptIds } = omni.expand([VIDEO], [clip(5, 2 / 3, 51)]);
    assert.equal(lengths(promptIds), `<vvv${'a'.repeat(50)}vva>`);
  });

  test('goes on alone when the other stream has ended', () => {
    assert.equal(lengths(omni.expand([VIDEO], [clip(4, 2, 3)]).promptIds), '<vaaavvv>');
    assert.equal(lengths(omni.expand([VIDEO], [clip(1, 2, 101)]).promptIds), `<v${'a'.repeat(101)}>`);
  });

  test('may be spelled out by hand', () => {
    const spelled = omni.expand([AUDIO_BOS, VIDEO, AUDIO, AUDIO_EOS], [clip(3, 1, 60)]);
    assert.deepEqual(spelled.promptIds, omni.expand([VIDEO], [clip(3, 1, 60)]).promptIds);
  });
});
