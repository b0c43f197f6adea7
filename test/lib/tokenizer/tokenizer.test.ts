import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openModelFolder } from '../../../lib/model-folder/model-folder.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { FAMILIES, goldenCases, modelFolderOf, readInt32Tensor } from '../support/goldens.js';

async function openTokenizer(family: string): Promise<Tokenizer> {
  const folder = await openModelFolder(modelFolderOf(family));
  return new Tokenizer(folder.tokenizerJson, folder.tokenizerConfig);
}

/** The ids with each run of one media placeholder made one, as before expansion. */
function collapse(ids: readonly number[], placeholderIds: ReadonlySet<number>): number[] {
  return ids.filter((id, i) => !placeholderIds.has(id) || ids[i - 1] !== id);
}

const PLACEHOLDERS = ['<|image_pad|>', '<|video_pad|>', '<|IMAGE|>', '<|VIDEO|>', '<|AUDIO|>'];

for (const family of FAMILIES) {
  test(`${family}: ids of every golden prompt`, async () => {
    const tokenizer = await openTokenizer(family);
    const placeholderIds = new Set(PLACEHOLDERS.map((token) => tokenizer.tokenToId(token) ?? -1));
    for (const golden of goldenCases(family)) {
      if (golden.expected.use_audio_in_video === true) continue;
      const prompt: string = golden.expected.prompt_text ?? golden.request.prompt;
      const expected = collapse(readInt32Tensor(golden, 'input_ids'), placeholderIds);
      assert.deepEqual(tokenizer.encode(prompt), expected, golden.name);
    }
  });

  test(`${family}: text of every golden answer, whole and token by token`, async () => {
    const tokenizer = await openTokenizer(family);
    for (const golden of goldenCases(family)) {
      const ids: number[] = golden.expected.generated_ids;
      assert.equal(tokenizer.decode(ids), golden.expected.text, golden.name);
      assert.equal(
        tokenizer.decode(ids, { skipSpecialTokens: false }),
        golden.expected.text_with_special_tokens,
      );
    }
  });
}

test('tokens in any order spell what their bytes spell together', async () => {
  const tokenizer = await openTokenizer('qwen2');
  const partial = tokenizer.encode('\u{1f600}\u4f60\u00e9\ufeff');
  const whole = tokenizer.encode('The quick brown fox');
  let seed = 1;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 0x7fff_ffff;
    return seed % below;
  };
  for (let i = 0; i < 200; i++) {
    const ids = Array.from({ length: 1 + random(12) }, () => {
      const from = random(2) === 0 ? partial : whole;
      return from[random(from.length)]!;
    });
    const bytes = Buffer.concat(ids.map((id) => tokenizer.tokenBytes(id)));
    assert.equal(tokenizer.decode(ids), new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  }
});

test('a long text has the same ids in slices as at once', async () => {
  const tokenizer = await openTokenizer('qwen2');
  const lines = [
    'The quick  brown fox,',
    '  indented\t',
    '',
    '\r\n',
    '12 apples',
    '\u00e9t\u00e9 \u{1f600}!\n\n',
    'end   ',
  ];
  const text = Array.from({ length: 8000 }, (_, i) => lines[(i * i) % lines.length]).join('\n');
  const whole = tokenizer.encode(`${text}<|im_end|>${text}`);
  // Pieces below the size at which long texts are cut.
  const parts = text.split(/(?<=\n)(?=[\p{L}\p{N}])/u).flatMap((line) => tokenizer.encode(line));
  assert.deepEqual(whole, [...parts, tokenizer.tokenToId('<|im_end|>'), ...parts]);
  assert.deepEqual(await tokenizer.encodeInSlices(`${text}<|im_end|>${text}`), whole);
});

test('encoding in slices lets the event loop run and can be ended', async () => {
  const tokenizer = await openTokenizer('qwen2');
  const text = Array.from({ length: 60_000 }, (_, i) => (i * 7919).toString(36)).join(' ');
  let numTurns = 0;
  const timer = setInterval(() => numTurns++, 0);
  await tokenizer.encodeInSlices(text);
  clearInterval(timer);
  assert.ok(numTurns > 0);
  const refuse = (numTokens: number): void => {
    if (numTokens > 1000) throw new RangeError('enough');
  };
  await assert.rejects(tokenizer.encodeInSlices(text, {}, refuse), RangeError);
});

test('added tokens that own the blanks beside them, and those that are whole words', () => {
  const added = [
    { id: 3, content: '<e>', special: true, rstrip: true, lstrip: true },
    { id: 4, content: 'cat', special: false, single_word: true },
  ];
  const model = { type: 'BPE', vocab: { a: 0, ' ': 1, c: 2 }, merges: [] };
  const tokenizer = new Tokenizer({ model, added_tokens: added, decoder: { type: 'ByteLevel' } }, {});
  assert.deepEqual(tokenizer.encode('a <e> a'), [0, 3, 0]);
  assert.deepEqual(tokenizer.encode('a cat a'), [0, 1, 4, 1, 0]);
  assert.deepEqual(tokenizer.encode('cata'), tokenizer.encodePlain('cata'));
  assert.ok(!tokenizer.encode('cata').includes(4));
  for (const touching of ['\u{10348}', '\u0301', '_', '7']) {
    assert.ok(!tokenizer.encode(`cat${touching}`).includes(4), touching);
    assert.ok(!tokenizer.encode(`${touching}cat`).includes(4), touching);
  }
  for (const apart of ['\u00b2', '-', '\u{1f600}']) {
    assert.ok(tokenizer.encode(`cat${apart}`).includes(4), apart);
    assert.ok(tokenizer.encode(`${apart}cat`).includes(4), apart);
  }
});

test('words of the older byte level end at the blanks of Unicode', () => {
  const letters = ['!', '\u00c2', '\u0127', '\u00ef', '\u00bb', '\u00bf'];
  const merged = [
    '\u00ef\u00bb',
    '\u00ef\u00bb\u00bf',
    '\u00ef\u00bb\u00bf!',
    '\u00c2\u0127',
    '\u00c2\u0127!',
  ];
  const vocab = Object.fromEntries([...letters, ...merged].map((token, id) => [token, id]));
  const merges = [
    ['\u00ef', '\u00bb'],
    ['\u00ef\u00bb', '\u00bf'],
    ['\u00ef\u00bb\u00bf', '!'],
    ['\u00c2', '\u0127'],
    ['\u00c2\u0127', '!'],
  ];
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, use_regex: true };
  const json = { model: { type: 'BPE', vocab, merges }, pre_tokenizer: byteLevel, decoder: byteLevel };
  const tokenizer = new Tokenizer(json, {});
  assert.deepEqual(tokenizer.encode('\ufeff!'), [vocab['\u00ef\u00bb\u00bf!']]);
  assert.deepEqual(tokenizer.encode('\u0085!'), [vocab['\u00c2\u0127'], vocab['!']]);
});

test('words that are remembered keep no text in memory', () => {
  const tokenizer = new Tokenizer(
    {
      model: { type: 'BPE', vocab: { '\u2581': 0, a: 1 } },
      pre_tokenizer: { type: 'Metaspace', prepend_scheme: 'always', split: true },
      decoder: { type: 'Metaspace' },
    },
    {},
  );
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 60; i++) tokenizer.encode(`${'a '.repeat(2 ** 19)}${'a'.repeat(i + 4)}bbbbbbbbbb`);
  collect();
  assert.ok(process.memoryUsage().heapUsed - before < 30 * 2 ** 20);
});
