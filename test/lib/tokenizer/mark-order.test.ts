import assert from 'node:assert/strict';
import { test } from 'node:test';
import { orderMarks } from '../../../lib/tokenizer/mark-order.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';

const FORMS = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;

test('the order of marks changes no normal form', () => {
  const runs = [
    '\u0301\u0323'.repeat(100),
    '\u0301'.repeat(90) + '\u0323'.repeat(90),
    '\u0f73\u0f72\u0f71'.repeat(50),
    '\u0301\u0323\u034f\u0334\u0345'.repeat(40),
    '\u0301\u0323'.repeat(10),
  ];
  for (const run of runs) {
    const text = `e${run}\u00e9${run}a`;
    for (const form of FORMS) assert.equal(orderMarks(text).normalize(form), text.normalize(form), form);
  }
});

test('a long run of marks is put in order, short ones stay as they are', () => {
  const [above, below] = ['\u0301', '\u0323'];
  const num = 200_000;
  assert.equal(orderMarks(`a${(above + below).repeat(num)}b`), `a${below.repeat(num)}${above.repeat(num)}b`);
  assert.equal(orderMarks(`a${above}${below}`), `a${above}${below}`);
});

test('a text of hundreds of thousands of marks has its ids', () => {
  const tokenizer = new Tokenizer(
    {
      model: {
        type: 'BPE',
        vocab: { '<unk>': 0, '\u1ea1': 1, '\u0301': 2, '\u0323': 3 },
        unk_token: '<unk>',
      },
      normalizer: { type: 'NFC' },
      decoder: { type: 'ByteFallback' },
    },
    {},
  );
  const num = 200_000;
  const ids = tokenizer.encode(`a${'\u0301\u0323'.repeat(num)}`);
  assert.equal(ids.length, 2 * num);
  assert.deepEqual(ids.slice(0, 2), [1, 3]);
  assert.deepEqual(ids.slice(num - 1, num + 2), [3, 2, 2]);
});
