import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openModelFolder } from '../../../lib/model-folder/model-folder.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { mergeMarks, splitIntoWords } from '../../../lib/transcription/words.js';
import { GOLDENS } from '../support/goldens.js';

const folder = await openModelFolder(join(GOLDENS, 'whisper', 'model'));
const tokenizer = new Tokenizer(folder.tokenizerJson, folder.tokenizerConfig);
const FIRST_SPECIAL_ID = 457;

const split = (text: string, language: string): string[] =>
  splitIntoWords(tokenizer.encodePlain(text), tokenizer, language).map((word) => word.text);
const whole = (text: string, language = 'en'): string[] =>
  mergeMarks(split(text, language).map((word) => ({ word }))).map(({ word }) => word);

describe('tokens become words', () => {
  test('at blanks and marks', () => {
    assert.deepEqual(split(' Hello, my world', 'en'), [' Hello', ',', ' my', ' world']);
    assert.deepEqual(split('one two', 'de'), ['one', ' two']);
    assert.deepEqual(split('', 'en'), []);
  });

  test('and characters stay whole', () => {
    assert.deepEqual(split(' Grüße aus Łódź 🎉🎉 ok', 'de'), [' Grüße', ' aus', ' Łódź', ' 🎉🎉', ' ok']);
    assert.deepEqual(split('日本語です', 'en'), ['日本語です']);
  });

  test('of one character each where blanks separate none', () => {
    for (const language of ['zh', 'ja', 'th', 'lo', 'my', 'yue']) {
      assert.deepEqual(split('日本語', language), ['日', '本', '語']);
    }
    assert.deepEqual(whole('你好，世界。', 'zh'), ['你', '好，', '世', '界。']);
  });

  test('with the marks that belong to them', () => {
    assert.deepEqual(whole(' He said: "yes!" (or no).'), [' He', ' said:', ' "yes!"', ' (or', ' no).']);
    const merged = mergeMarks([' -', ' si', '?', ' ¿', 'no'].map((word) => ({ word })));
    assert.deepEqual(merged, [{ word: ' - si?' }, { word: ' ¿no' }]);
    assert.deepEqual(whole('...'), ['...']);
    assert.deepEqual(whole(' "'), [' "']);
  });

  test('that join to the text, whatever the tokens', () => {
    let state = 7;
    const random = (limit: number): number =>
      Math.floor(((state = (state * 48_271) % 2_147_483_647) / 2_147_483_647) * limit);
    for (let i = 0; i < 300; i++) {
      const ids = Array.from({ length: 1 + random(12) }, () => random(FIRST_SPECIAL_ID));
      for (const language of ['en', 'ja']) {
        const words = splitIntoWords(ids, tokenizer, language);
        assert.equal(words.map(({ text }) => text).join(''), tokenizer.decode(ids));
        assert.equal(
          words.reduce((sum, { numTokens }) => sum + numTokens, 0),
          ids.length,
        );
        const merged = mergeMarks(words.map(({ text }) => ({ word: text })));
        assert.equal(merged.map(({ word }) => word).join(''), tokenizer.decode(ids));
      }
    }
  });
});
