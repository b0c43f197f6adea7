import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SpellingTrie } from '../../../lib/tokenizer/spelling-trie.js';

const pieces = (trie: SpellingTrie, text: string): string[] =>
  trie.split(text).map((piece) => (piece.isSpelling ? `[${piece.text}]` : piece.text));

test('leftmost, then longest', () => {
  const trie = new SpellingTrie(['<a>', '<a>b', ']x', '\u{1f600}']);
  assert.deepEqual(pieces(trie, '1<a>b<a><<a>2]x\u{1f600}]'), [
    '1',
    '[<a>b]',
    '[<a>]',
    '<',
    '[<a>]',
    '2',
    '[]x]',
    '[\u{1f600}]',
    ']',
  ]);
});

test('no spellings, no text, nothing to find', () => {
  assert.deepEqual(pieces(new SpellingTrie([]), 'abc'), ['abc']);
  assert.deepEqual(pieces(new SpellingTrie(['a']), ''), []);
  assert.deepEqual(pieces(new SpellingTrie(['ab']), 'ba'), ['ba']);
});

test('a beginning at the end of the text is told', () => {
  const trie = new SpellingTrie(['<|end|>']);
  assert.deepEqual(trie.matchAt('x<|en', 1), { length: 0, reachesEnd: true });
  assert.deepEqual(trie.matchAt('x<|no', 1), { length: 0, reachesEnd: false });
  assert.deepEqual(trie.matchAt('<|end|>', 0), { length: 7, reachesEnd: false });
});
