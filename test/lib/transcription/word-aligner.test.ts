import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AlignmentRequest } from '../../../lib/engine/alignment.js';
import { openModelFolder } from '../../../lib/model-folder/model-folder.js';
import type { KeyedItem } from '../../../lib/processors/types.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { readSpeechTokens } from '../../../lib/transcription/speech-tokens.js';
import type { WindowWord } from '../../../lib/transcription/long-words.js';
import { WordAligner } from '../../../lib/transcription/word-aligner.js';
import { GOLDENS } from '../support/goldens.js';

const folder = await openModelFolder(join(GOLDENS, 'whisper', 'model'));
const tokenizer = new Tokenizer(folder.tokenizerJson, folder.tokenizerConfig);
const tokens = readSpeechTokens(folder.generationConfig, folder.config, tokenizer);
const FIRST_TIMESTAMP = tokens.noTimestamps + 1;
const encode = (text: string): number[] => tokenizer.encodePlain(text);

/** An aligner that hears token i of a window in frame 10 i, and what it asked for. */
function alignerOf(maxModelLen = 448): { aligner: WordAligner; asked: AlignmentRequest[] } {
  const asked: AlignmentRequest[] = [];
  const aligner = new WordAligner({
    heads: [[0, 0]],
    filterWidth: 7,
    tokenizer,
    tokens,
    maxModelLen,
    cacheSalt: '',
    align: (request) => {
      asked.push(request);
      return Promise.resolve(Array.from({ length: request.alignment.numTokens }, (_, i) => 10 * i));
    },
  });
  return { aligner, asked };
}

const wordsOf = (
  aligner: WordAligner,
  segments: number[][],
  language = 'en',
  task: 'transcribe' | 'translate' = 'transcribe',
): Promise<WindowWord[][]> =>
  aligner.wordsOf({
    window: {} as KeyedItem,
    numFrames: 100,
    segments: segments.map((tokens) => ({ tokens, start: 0, end: 1500 })),
    language,
    task,
  });

test('a word lasts from its first token to the next word, across segments', async () => {
  const { aligner, asked } = alignerOf();
  const [first, second] = [encode(' like this,'), encode(' so')];
  const words = await wordsOf(aligner, [
    [FIRST_TIMESTAMP, ...first, FIRST_TIMESTAMP + 50],
    [FIRST_TIMESTAMP + 50, ...second, FIRST_TIMESTAMP + 70],
  ]);
  assert.deepEqual(
    words.map((list) => list.map(({ word }) => word)),
    [[' like', ' this,'], [' so']],
  );
  const numLike = encode(' like').length;
  // The mark behind a word is no part of its time.
  assert.deepEqual(words[0]?.[1], {
    word: ' this,',
    start: 10 * numLike,
    end: 10 * (first.length - 1),
  });
  assert.deepEqual(words[1], [
    { word: ' so', start: 10 * first.length, end: 10 * (first.length + second.length) },
  ]);
  const prompt = [458, 459, 469, tokens.noTimestamps];
  assert.deepEqual(Array.from(asked[0]?.prompt.promptIds ?? []), [...prompt, ...first, ...second, 457]);
  assert.deepEqual(asked[0]?.alignment, {
    heads: [[0, 0]],
    filterWidth: 7,
    firstToken: 3,
    numTokens: first.length + second.length + 1,
    numFrames: 100,
  });
});

test('a window without text is not read again', async () => {
  const { aligner, asked } = alignerOf();
  assert.deepEqual(await wordsOf(aligner, []), []);
  assert.deepEqual(await wordsOf(aligner, [[FIRST_TIMESTAMP, FIRST_TIMESTAMP + 9], []]), [[], []]);
  assert.equal(asked.length, 0);
});

test('a text that fills the context is read without its end token', async () => {
  const text = encode(' like this and that');
  const { aligner, asked } = alignerOf(4 + text.length);
  await wordsOf(aligner, [text]);
  assert.equal(asked[0]?.prompt.promptIds.length, 4 + text.length);
  assert.equal(asked[0]?.alignment.numTokens, text.length + 1);
});

test('a translation has the words of English', async () => {
  const { aligner } = alignerOf();
  const [spoken] = await wordsOf(aligner, [encode('so like')], 'ja');
  assert.equal(spoken?.length, encode('so like').length);
  const [english] = await wordsOf(aligner, [encode('so like')], 'ja', 'translate');
  assert.deepEqual(
    english?.map(({ word }) => word),
    ['so', ' like'],
  );
});
