import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openModelFolder } from '../../../lib/model-folder/model-folder.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { languageCode } from '../../../lib/transcription/languages.js';
import { decoderPrompt, decodingRules, readSpeechTokens } from '../../../lib/transcription/speech-tokens.js';
import { GOLDENS } from '../support/goldens.js';

const folder = await openModelFolder(join(GOLDENS, 'whisper', 'model'));
const tokenizer = new Tokenizer(folder.tokenizerJson, folder.tokenizerConfig);
const tokens = readSpeechTokens(folder.generationConfig, folder.config, tokenizer);

describe('the tokens that steer speech recognition', () => {
  test('come from generation_config.json', () => {
    assert.equal(tokens.startOfTranscript, 458);
    assert.equal(tokens.endOfText, 457);
    assert.equal(tokens.noTimestamps, 473);
    assert.equal(tokens.startOfPrevious, 471);
    assert.equal(tokens.noSpeech, 472);
    assert.deepEqual([...tokens.languages].slice(0, 2), [
      ['en', 459],
      ['zh', 460],
    ]);
    assert.deepEqual(tokens.tasks, { transcribe: 469, translate: 468 });
    assert.equal(tokens.maxInitialTimestampIndex, 50);
  });

  test('are found by their spelling in checkpoints that list nothing', () => {
    const bare = readSpeechTokens({}, { eos_token_id: 457 }, tokenizer);
    const { suppressed, beginSuppressed, maxInitialTimestampIndex, ...found } = bare;
    assert.deepEqual([suppressed, beginSuppressed, maxInitialTimestampIndex], [[], [], undefined]);
    assert.deepEqual({ ...tokens, ...found }, tokens);
  });

  test('are missed by name', () => {
    const empty = { tokenToId: () => undefined } as unknown as Tokenizer;
    assert.throws(() => readSpeechTokens({}, {}, empty), {
      code: 'invalid_checkpoint',
      message: /decoder_start_token_id/,
    });
  });

  test('have no languages where the model knows English only', () => {
    const english = readSpeechTokens({ ...folder.generationConfig, is_multilingual: false }, {}, tokenizer);
    assert.equal(english.languages.size, 0);
    const choice = { language: 'en', task: 'transcribe', hasTimestamps: false, previous: [] } as const;
    assert.deepEqual(decoderPrompt(english, choice), [458, 473]);
  });
});

test('the prompt says what came before, language, task and whether times are wanted', () => {
  const choice = { language: 'de', task: 'translate', hasTimestamps: true, previous: [7, 8] } as const;
  assert.deepEqual(decoderPrompt(tokens, choice), [471, 7, 8, 458, 461, 468]);
  assert.deepEqual(
    decoderPrompt(tokens, { ...choice, hasTimestamps: false, previous: [] }),
    [458, 461, 468, 473],
  );
});

test('the rules of times hold where times are wanted', () => {
  assert.deepEqual(decodingRules(tokens, true).timestamps, {
    noTimestampsId: 473,
    eosId: 457,
    maxInitialIndex: 50,
  });
  assert.equal(decodingRules(tokens, false).timestamps, undefined);
  assert.deepEqual(decodingRules(tokens, false).beginSuppressedIds, [220, 457]);
});

test('languages are told by code or English name', () => {
  assert.equal(languageCode('EN'), 'en');
  assert.equal(languageCode(' German '), 'de');
  assert.equal(languageCode('mandarin'), 'zh');
  assert.equal(languageCode('klingon'), undefined);
  assert.equal(languageCode('toString'), undefined);
});
