import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { parseMessages } from '../../../lib/chat/parts.js';
import type { RequestResult, RunningRequest } from '../../../lib/engine/types.js';
import { LLM } from '../../../lib/llm.js';
import { isReadable, optionsFor } from '../support/ffmpeg.js';
import {
  FAMILIES,
  goldenCases,
  GOLDENS,
  modelFolderOf,
  PICTURE_FAMILIES,
  QWEN3_FAMILIES,
  readInt32Tensor,
  SPEECH_FAMILIES,
  TEXT_FAMILIES,
  type GoldenCase,
} from '../support/goldens.js';

/** A copy with `file:name` made absolute. */
function withAbsoluteFiles(value: unknown, folder: string): unknown {
  if (typeof value === 'string' && value.startsWith('file:'))
    return pathToFileURL(`${folder}/${value.slice(5)}`).href;
  if (Array.isArray(value)) return value.map((entry) => withAbsoluteFiles(entry, folder));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, withAbsoluteFiles(entry, folder)]),
  );
}

async function submit(llm: LLM, { request, folder }: GoldenCase): Promise<RunningRequest> {
  const sampling = {
    temperature: request.temperature,
    maxTokens: request.max_tokens,
    repetitionPenalty: request.repetition_penalty,
  };
  if (request.messages === undefined) return llm.submitPrompt(request.prompt, [], { sampling });
  const wire = withAbsoluteFiles(request.messages, folder);
  const { messages } = parseMessages(wire, { rules: llm.mediaRules, isStrict: true });
  return llm.submitChat(messages, {
    sampling,
    mediaIoKwargs: request.media_io_kwargs,
    mmProcessorKwargs: request.mm_processor_kwargs,
    chatTemplateKwargs: request.chat_template_kwargs,
  });
}

async function answer(llm: LLM, golden: GoldenCase): Promise<RequestResult> {
  return (await submit(llm, golden)).result();
}

function check(golden: GoldenCase, { promptTokenIds, outputs, usage }: RequestResult): void {
  const [output] = outputs;
  // Negative ids of the reference count pictures; any token may stand for an encoder row.
  const expectedIds = readInt32Tensor(golden, 'input_ids').map((id, i) => (id < 0 ? promptTokenIds[i] : id));
  assert.deepEqual(promptTokenIds, expectedIds, 'prompt');
  assert.deepEqual(output?.tokenIds, golden.expected.generated_ids, 'answer');
  assert.equal(output?.text, golden.expected.text);
  assert.equal(output?.finishReason, golden.expected.finish_reason);
  assert.equal(usage.promptTokens, golden.expected.prompt_tokens);
  const sum = (list: { tokens?: number }[] = []): number =>
    list.reduce((total, { tokens = 0 }) => total + tokens, 0);
  const { images, videos, audios } = golden.expected;
  assert.deepEqual(
    [usage.imageTokens, usage.videoTokens, usage.audioTokens],
    [sum(images), sum(videos), sum(audios)],
    'tokens by modality',
  );
}

/** Models that answer; VLM2Vec only embeds. */
const PICTURE_LMS = PICTURE_FAMILIES.filter((family) => family !== 'vlm2vec');

/** Strings of the request: file names among them. */
const filesOf = ({ request }: GoldenCase): string[] => JSON.stringify(request.messages ?? []).split('"');

for (const family of [...FAMILIES, ...QWEN3_FAMILIES, ...TEXT_FAMILIES, ...PICTURE_LMS, ...SPEECH_FAMILIES]) {
  describe(`${family}, float32`, () => {
    let llm: LLM;
    before(async () => {
      llm = await LLM.load({
        model: modelFolderOf(family),
        dtype: 'float32',
        // Phi-3's have 2048 positions.
        maxModelLen: family.startsWith('phi3') ? 2048 : 4096,
        mediaPolicy: { allowedLocalMediaPath: GOLDENS },
      });
    });
    after(() => llm.close());

    for (const golden of goldenCases(family)) {
      test(golden.name, optionsFor(filesOf(golden)), async () => check(golden, await answer(llm, golden)));
    }

    test('all at once, with all caches warm', async () => {
      const cases = goldenCases(family).filter((golden) => isReadable(filesOf(golden)));
      const results = await Promise.all(cases.map((golden) => answer(llm, golden)));
      results.forEach((result, i) => check(cases[i] as GoldenCase, result));
    });
  });
}
