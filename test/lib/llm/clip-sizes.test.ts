import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { LLM } from '../../../lib/llm.js';
import { modelFolderOf } from '../support/goldens.js';
import { hasCode } from './support/demo-model.js';

const CELL = 32 * 32;
const frame = { data: new Uint8Array(256 * 128 * 3), width: 256, height: 128, channels: 3 };
const video = [frame, frame, frame, frame];
let llm: LLM;

before(async () => {
  llm = await LLM.load({ model: modelFolderOf('qwen3_vl'), dtype: 'float32', maxModelLen: 1024 });
});
after(() => llm.close());

async function videoTokens(part: object, options: object = {}): Promise<number> {
  const content = [
    { type: 'video', video, ...part },
    { type: 'text', text: 'What?' },
  ];
  const { usage } = await llm.chat([{ role: 'user', content }], { maxTokens: 1, ...options });
  return usage.videoTokens;
}

test("the page's keys say how large the frames of a Qwen3-VL clip are", async () => {
  assert.equal(await videoTokens({}), 2 * 8);
  assert.equal(await videoTokens({ resized_height: 32, resized_width: 64 }), 2 * 2);
  assert.equal(await videoTokens({ max_pixels: 2 * CELL }), 2 * 2);
  assert.equal(await videoTokens({ min_pixels: 18 * CELL }), 2 * 18);
  assert.equal(await videoTokens({ total_pixels: 64 * CELL }), 2 * 32);
  assert.equal(await videoTokens({ totalPixels: 4 * CELL }), 2 * 2);
});

test('so do those of a call, beneath those of a part', async () => {
  const mmProcessorKwargs = { max_pixels: 2 * CELL };
  assert.equal(await videoTokens({}, { mmProcessorKwargs }), 2 * 2);
  assert.equal(await videoTokens({ max_pixels: 8 * CELL }, { mmProcessorKwargs }), 2 * 8);
  const videosKwargs = { size: { shortest_edge: 4096, longest_edge: 8 * CELL } };
  assert.equal(await videoTokens({}, { mmProcessorKwargs: { videosKwargs } }), 2 * 2);
});

test('and name what is wrong with them', async () => {
  const wrong = { min_pixels: 9 * CELL, max_pixels: 8 * CELL };
  await assert.rejects(videoTokens(wrong), hasCode('invalid_value', /min_pixels/));
});
