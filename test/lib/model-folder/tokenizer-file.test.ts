import assert from 'node:assert/strict';
import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openModelFolder } from '../../../lib/model-folder/model-folder.js';
import { readTokenizerJson } from '../../../lib/model-folder/tokenizer-file.js';
import { Tokenizer } from '../../../lib/tokenizer/tokenizer.js';
import { goldenCases, modelFolderOf } from '../support/goldens.js';

const TEXTS = [
  'Hello, World! 1234 tokens\n\n  and more',
  'na\u00efve cafe\u0301 \u{1f600} \u4e2d\u6587',
  '<|im_start|>user\nhi<|im_end|>\n',
  "it's\tTHEY'LL\r\n \n x",
];

async function inFolder(
  files: Record<string, string>,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'sensorium-tokenizer-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('vocab.json and merges.txt make the tokenizer that tokenizer.json holds', async () => {
  const model = modelFolderOf('qwen2');
  const given = await openModelFolder(model);
  await inFolder({}, async (folder) => {
    for (const name of ['config.json', 'tokenizer_config.json', 'vocab.json', 'merges.txt'])
      await copyFile(join(model, name), join(folder, name));
    const made = await openModelFolder(folder);
    const [expected, tokenizer] = [given, made].map(
      (each) => new Tokenizer(each.tokenizerJson, each.tokenizerConfig),
    ) as [Tokenizer, Tokenizer];
    const prompts = goldenCases('qwen2').map(({ expected: { prompt_text: text }, request }) =>
      String(text ?? request.prompt),
    );
    for (const text of [...TEXTS, ...prompts]) {
      assert.deepEqual(tokenizer.encode(text), expected.encode(text), text);
      assert.equal(tokenizer.decode(tokenizer.encode(text)), expected.decode(expected.encode(text)));
    }
    assert.equal(tokenizer.isSpecial(tokenizer.tokenToId('<|im_end|>') ?? -1), true);
  });
});

test('added_tokens.json stands in for added_tokens_decoder', async () => {
  const files = {
    'vocab.json': JSON.stringify({ a: 0, b: 1, ab: 2 }),
    'merges.txt': '#version: 0.2\na b\n',
    'added_tokens.json': JSON.stringify({ '<|im_end|>': 3 }),
  };
  await inFolder(files, async (folder) => {
    const config = { tokenizer_class: 'Qwen2Tokenizer' };
    const json = await readTokenizerJson(folder, config);
    assert.ok(json);
    assert.deepEqual(new Tokenizer(json, config).encode('ab<|im_end|>a'), [2, 3, 0]);
  });
});

test('the older files of other classes are not guessed at, and damaged ones are named', async () => {
  const files = { 'vocab.json': '{"a":0}', 'merges.txt': 'a b c\n' };
  await inFolder(files, async (folder) => {
    assert.equal(await readTokenizerJson(folder, { tokenizer_class: 'GPT2Tokenizer' }), undefined);
    await assert.rejects(readTokenizerJson(folder, { tokenizer_class: 'Qwen2TokenizerFast' }), {
      code: 'invalid_checkpoint',
      message: /merges\.txt: 'a b c' is not a pair/,
    });
  });
});
