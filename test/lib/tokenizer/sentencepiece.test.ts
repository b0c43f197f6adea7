import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';

/** A vocabulary with all single bytes at 3 to 258, and `tokens` behind them. */
function vocabularyOf(...tokens: string[]): Record<string, number> {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
  );
  return Object.fromEntries(['<unk>', '<s>', '</s>', ...bytes, ...tokens].map((token, id) => [token, id]));
}

const VOCABULARY = vocabularyOf('\u2581', 'h', 'i', '\u2581h', 'hi', '\u2581hi', '\ufffd', '\u2581\u2581');
const id = (token: string): number => VOCABULARY[token] ?? -1;
const MODEL = {
  type: 'BPE',
  vocab: VOCABULARY,
  merges: ['\u2581 h', 'h i', '\u2581h i', '\u2581 hi', '\u2581 \u2581'],
  unk_token: '<unk>',
  fuse_unk: true,
  byte_fallback: true,
};
const DECODER = {
  type: 'Sequence',
  decoders: [
    { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
    { type: 'Strip', content: ' ', start: 1, stop: 0 },
  ],
};
const CONTROL = ['[INST]', '[/INST]'].map((content, i) => ({ id: 300 + i, content, special: true }));

const metaspace = (prepend_scheme: string, split: boolean): Tokenizer =>
  new Tokenizer(
    {
      model: MODEL,
      decoder: DECODER,
      added_tokens: CONTROL,
      pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', prepend_scheme, split },
    },
    {},
  );

test('the scheme "first" puts a blank before the text and not behind control tokens', async () => {
  const tokenizer = metaspace('first', false);
  assert.deepEqual(tokenizer.encode('hi[INST]hi'), [id('\u2581hi'), 300, id('hi')]);
  assert.deepEqual(tokenizer.encodePlain('hi'), [id('\u2581hi')]);
  const same = (text: string): string => text;
  assert.deepEqual(await tokenizer.encodeRendered('[INST]hi[/INST]hi', same), [300, id('hi'), 301, id('hi')]);
  assert.deepEqual(await tokenizer.encodeRendered('hi[INST] hi', same), [
    id('\u2581hi'),
    300,
    id('\u2581hi'),
  ]);
  const always = metaspace('always', false);
  assert.deepEqual(await always.encodeRendered('[INST]hi', same), [300, id('\u2581hi')]);
});

test('blanks merge unless each begins a word', () => {
  assert.deepEqual(metaspace('first', false).encode('   '), [id('\u2581\u2581'), id('\u2581')]);
  assert.deepEqual(metaspace('first', true).encode('   '), [id('\u2581'), id('\u2581'), id('\u2581')]);
});

test('what the vocabulary lacks is spelled in bytes; half a surrogate pair is U+FFFD', () => {
  const tokenizer = metaspace('first', false);
  const bytes = [...Buffer.from('\u00e9')].map((byte) => byte + 3);
  assert.deepEqual(tokenizer.encode(' \u00e9'), [id('\u2581'), ...bytes]);
  assert.equal(tokenizer.decode(tokenizer.encode('hi \u00e9')), 'hi \u00e9');
  assert.deepEqual(tokenizer.encode(' \ud83d'), [id('\u2581'), id('\ufffd')]);
});

test('added tokens are read as the vocabulary spells blanks', () => {
  const added = [{ id: 300, content: '\u2581\u2581\u2581', special: false }];
  const tokenizer = new Tokenizer({ model: MODEL, decoder: DECODER, added_tokens: added }, {});
  assert.equal(tokenizer.decode([id('hi'), 300, id('hi')]), 'hi   hi');
});

test('unknown characters become one token where the model fuses them', () => {
  const vocab = { '<unk>': 0, a: 1 };
  const model = { type: 'BPE', vocab, merges: [], unk_token: '<unk>' };
  const encode = (extra: object): number[] =>
    new Tokenizer({ model: { ...model, ...extra }, decoder: { type: 'ByteLevel' } }, {}).encode('axya');
  assert.deepEqual(encode({ fuse_unk: true }), [1, 0, 1]);
  assert.deepEqual(encode({ fuse_unk: false }), [1, 0, 0, 1]);
  assert.deepEqual(encode({ unk_token: null }), [1, 1]);
});
