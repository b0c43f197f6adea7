import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { LLM } from '../../../lib/llm.js';
import { readTensor } from '../native/support.js';
import { modelFolderOf, QWEN3_FAMILIES, readInt32Tensor, type GoldenCase } from '../support/goldens.js';
import { mediaCases, messagesWith, type CaseItem, type Part } from './embedding-cases.js';

const NUM_DEEPSTACK_LEVELS = 2;

/** What the reference's encoder made of an item: the rows, and beside them those of each deepstack level. */
function rowsOf({ folder }: GoldenCase, { modality, rows }: CaseItem, index: number): CaseItem['rows'] {
  if (modality === 'audio') return rows;
  const file = join(folder, 'expected.safetensors');
  const name = `${modality}_embeds.${index}`;
  const levels = Array.from(
    { length: NUM_DEEPSTACK_LEVELS },
    (_, level) => readTensor(file, `${name}.deepstack.${level}`).values as Float32Array,
  );
  const [numRows, width] = rows.shape as [number, number];
  const data = new Float32Array(numRows * width * (1 + levels.length));
  for (let row = 0; row < numRows; row++) {
    for (const [column, part] of [rows.data, ...levels].entries()) {
      data.set(part.subarray(row * width, (row + 1) * width), (row * (1 + levels.length) + column) * width);
    }
  }
  return { data, shape: [numRows, width * (1 + levels.length)] };
}

/** The case's messages with rows in place of its media. */
function messagesOfRows(golden: GoldenCase): Part[] {
  const counts = { image: 0, video: 0, audio: 0 };
  return messagesWith(golden, (item) => {
    const { modality, extras } = item;
    const index = counts[modality]++;
    const times: number[] | undefined = modality === 'video' ? golden.expected.videos[index].timestamps : [];
    const tensors = { [`${modality}_embeds`]: rowsOf(golden, item, index), ...extras };
    const timestamps = { data: Float64Array.from(times ?? []), shape: [times?.length ?? 0] };
    const given = timestamps.data.length === 0 ? tensors : { ...tensors, timestamps };
    return { type: `${modality}_embeds`, [`${modality}_embeds`]: given };
  });
}

for (const family of QWEN3_FAMILIES.filter((name) => /vl|omni/.test(name))) {
  describe(`${family}: rows with deepstack levels in place of media`, () => {
    let llm: LLM;
    before(async () => {
      const options = { dtype: 'float32', maxModelLen: 4096, enableMmEmbeds: true } as const;
      llm = await LLM.load({ model: modelFolderOf(family), ...options });
    });
    after(() => llm.close());

    for (const golden of mediaCases(family)) {
      test(`${golden.name} gives the tokens of the raw media`, async () => {
        const { promptTokenIds, outputs } = await llm.chat(messagesOfRows(golden) as any[], {
          temperature: 0,
          maxTokens: golden.request.max_tokens,
          repetitionPenalty: golden.request.repetition_penalty,
        });
        assert.deepEqual(promptTokenIds, readInt32Tensor(golden, 'input_ids'));
        assert.deepEqual(outputs[0]?.tokenIds, golden.expected.generated_ids);
      });
    }
  });
}
