import assert from 'node:assert/strict';
import { test } from 'node:test';
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
