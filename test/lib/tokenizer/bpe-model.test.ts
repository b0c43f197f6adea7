import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BpeModel } from '../../../lib/tokenizer/bpe-model.js';
import { runAtOnce } from '../../../lib/tokenizer/slices.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';

const LETTERS = ['a', 'b', 'c', 'd'];

/** A vocabulary of random merges over four letters; the same on every machine. */
function randomModel(numMerges: number): { vocab: Record<string, number>; merges: [string, string][] } {
  let state = 1;
  const below = (bound: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
  const tokens = [...LETTERS];
  const merges: [string, string][] = [];
  while (merges.length < numMerges) {
    const [left, right] = [tokens[below(tokens.length)], tokens[below(tokens.length)]] as [string, string];
    if (left.length + right.length > 12 || tokens.includes(left + right)) continue;
    tokens.push(left + right);
    merges.push([left, right]);
  }
  return { vocab: Object.fromEntries(tokens.map((token, i) => [token, i])), merges };
}

/** The definition of byte-pair encoding: of all neighbours the lowest merge, leftmost first, until there is none. */
function mergeByDefinition(word: string, merges: readonly [string, string][]): string[] {
  const pieces = [...word];
  for (;;) {
    let best = { rank: Infinity, at: -1 };
    for (let at = 0; at + 1 < pieces.length; at++) {
      const rank = merges.findIndex(([left, right]) => left === pieces[at] && right === pieces[at + 1]);
      if (rank >= 0 && rank < best.rank) best = { rank, at };
    }
    if (best.at < 0) return pieces;
    pieces.splice(best.at, 2, (pieces[best.at] ?? '') + (pieces[best.at + 1] ?? ''));
  }
}

test('words merge as byte-pair encoding is defined', () => {
  const { vocab, merges } = randomModel(60);
  const model = new BpeModel({ type: 'BPE', vocab, merges });
  for (let seed = 0; seed < 200; seed++) {
    const word = Array.from(
      { length: 1 + (seed % 40) },
      (_, i) => LETTERS[(seed * 7 + i * i * 3 + (i >> 2)) % 4],
    ).join('');
    const expected = mergeByDefinition(word, merges).map((token) => vocab[token]);
    assert.deepEqual(runAtOnce(model.encodeWord(word)), expected, word);
    assert.deepEqual(model.recall(word), expected, word);
  }
});

test('a word of the vocabulary is its token where merges are ignored', () => {
  const model = { type: 'BPE', vocab: { a: 0, b: 1, c: 2, bc: 3, abc: 4 }, merges: ['b c'] };
  assert.deepEqual(runAtOnce(new BpeModel(model).encodeWord('abc')), [0, 3]);
  assert.deepEqual(new BpeModel({ ...model, ignore_merges: true }).recall('abc'), [4]);
});

test('one long word is merged in many steps', () => {
  const { vocab, merges } = randomModel(60);
  const model = new BpeModel({ vocab, merges });
  let numSteps = 0;
  const steps = model.encodeWord('abcd'.repeat(25_000));
  for (let step = steps.next(); step.done !== true; step = steps.next()) numSteps++;
  assert.ok(numSteps > 20, `${numSteps} steps`);
});

test('a long line without blanks has the ids of its parts', () => {
  const vocab = Object.fromEntries(['x', '1', '!', 'x1', '\u0120', '\u0120x'].map((token, i) => [token, i]));
  const Regex = String.raw`[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
  const pretokenizers = [
    { type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, use_regex: false },
  ];
  const json = {
    model: { type: 'BPE', vocab, merges: ['x 1', '\u0120 x'] },
    pre_tokenizer: { type: 'Sequence', pretokenizers },
    decoder: { type: 'ByteLevel' },
  };
  const tokenizer = new Tokenizer(json, {});
  assert.deepEqual(tokenizer.encode('x x1!'), [0, 5, 1, 2]);
  assert.deepEqual(tokenizer.encode('!x x1!'), [2, 0, 5, 1, 2]);
  const numParts = 10_000;
  const expected = Array.from({ length: numParts }, () => [0, 5, 1, 2]).flat();
  assert.deepEqual(tokenizer.encode('x x1!'.repeat(numParts)), expected);
});

test('models that cannot be are refused', () => {
  const refuse = (model: Record<string, unknown>, message: RegExp): void =>
    assert.throws(() => new BpeModel(model), { code: 'invalid_checkpoint', message });
  refuse({ type: 'Unigram', vocab: [['a', 0]] }, /'Unigram' is not supported/);
  refuse({ vocab: { a: 0 }, end_of_word_suffix: '</w>' }, /end_of_word_suffix/);
  refuse({ vocab: { a: -1 } }, /'a' has no valid id/);
  refuse({ vocab: { a: 1e12 } }, /'a' has no valid id/);
  refuse({ vocab: ['a'] }, /not an object/);
  refuse({ vocab: { a: 0 }, merges: 'a b' }, /not a list/);
  refuse({ vocab: { a: 0 }, merges: ['a'] }, /not a pair/);
  refuse({ vocab: { a: 0, b: 1 }, merges: ['a b'] }, /merge 'a b' is of tokens that it lacks/);
});
