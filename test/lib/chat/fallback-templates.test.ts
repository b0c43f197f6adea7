import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Placeholders } from '../../../lib/chat/content-text.js';
import { fallbackTemplate } from '../../../lib/chat/fallback-templates.js';
import { Neutraliser } from '../../../lib/chat/neutralise.js';
import { ContextBuilder } from '../../../lib/chat/template-context.js';
import { TemplatePool } from '../../../lib/chat/template-pool.js';
import type { ChatOptions } from '../../../lib/request/types.js';
import { SpellingTrie } from '../../../lib/tokenizer/spelling-trie.js';
import { goldenCases, GOLDENS, REPOSITORY } from '../support/goldens.js';
import { IMAGE, parse } from './support.js';

const image = (spelling: string, isInline = false): Placeholders => ({
  image: { token: '', tokenId: -1, spelling, isInline },
});

/** Golden folder, `model_type`, and the spellings of families whose templates take text. */
const FAMILIES: [folder: string, modelType: string, placeholders: Placeholders][] = [
  ['qwen2', 'qwen2', {}],
  ['qwen2_vl', 'qwen2_vl', {}],
  ['qwen2_5_vl', 'qwen2_5_vl', {}],
  ['qwen2_5_omni', 'qwen2_5_omni', {}],
  ['qwen2_audio', 'qwen2_audio', {}],
  ['qwen3_vl', 'qwen3_vl', {}],
  ['qwen3_vl_moe', 'qwen3_vl_moe', {}],
  ['qwen3_omni_moe', 'qwen3_omni_moe', {}],
  ['llava', 'llava', {}],
  ['llava_onevision', 'llava_onevision', {}],
  ['phi3_v', 'phi3_v', image('<|image_{n}|>\n', true)],
  ['minicpm_v', 'minicpmv', image('(<image>./</image>)')],
];

type Render = (messages: unknown, options?: ChatOptions) => Promise<string>;

/** Gives `body` a way to render a template's text over spelled placeholders. */
async function withTemplate(
  source: string | undefined,
  placeholders: Placeholders,
  body: (render: Render) => Promise<void>,
): Promise<void> {
  assert.ok(source !== undefined);
  const pool = new TemplatePool([source]);
  try {
    const [format = 'string'] = await pool.start();
    await body((messages, options = {}) => {
      const builder = new ContextBuilder({
        template: { source, format },
        neutraliser: new Neutraliser(new SpellingTrie([]), {}),
        placeholders,
        mediaOrder: 'interleaved',
        tokenVariables: { bos_token: '<bos>' },
      });
      return pool.render(0, builder.build(parse(messages), options, true));
    });
  } finally {
    pool.close();
  }
}

describe('fallback templates print what the goldens were made with', () => {
  for (const [folder, modelType, placeholders] of FAMILIES) {
    if (!existsSync(join(GOLDENS, folder, 'cases'))) continue;
    test(modelType, () =>
      withTemplate(fallbackTemplate(modelType), placeholders, async (render) => {
        let numCompared = 0;
        for (const { name, request, expected } of goldenCases(folder)) {
          if (request.messages === undefined || expected.prompt_text === undefined) continue;
          // Times of frames are the processor's to write.
          if (expected.prompt_text.includes(' seconds>')) continue;
          if (request.continue_final_message === true || expected.use_audio_in_video === true) continue;
          const chatTemplateKwargs = request.chat_template_kwargs;
          assert.equal(await render(request.messages, { chatTemplateKwargs }), expected.prompt_text, name);
          numCompared++;
        }
        assert.ok(numCompared > 0);
      }),
    );
  }

  test('ultravox speaks as Llama 3 does', () => {
    const audio = { token: '', tokenId: -1, spelling: '<|audio|>', isInline: true };
    const content = [
      { type: 'text', text: 'Tiny: ' },
      { type: 'input_audio', input_audio: { data: 'AAAA' } },
    ];
    return withTemplate(fallbackTemplate('ultravox'), { audio }, async (render) =>
      assert.equal(
        await render([{ role: 'user', content }]),
        '<bos><|start_header_id|>user<|end_header_id|>\n\nTiny: <|audio|><|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n',
      ),
    );
  });

  test('families that take no chats, and unknown ones, have none', () => {
    for (const modelType of ['whisper', 'llama', '', '__proto__'])
      assert.equal(fallbackTemplate(modelType), undefined);
  });
});

describe('the template of VLM2Vec', () => {
  const source = readFileSync(join(REPOSITORY, 'templates', 'template_vlm2vec_phi3v.jinja'), 'utf8');
  test('parts in order, images numbered, nothing around them', () =>
    withTemplate(source, {}, async (render) => {
      const text = (value: string): object => ({ type: 'text', text: value });
      const question = 'Represent the given image with the following question:';
      const content = [IMAGE, text(question), text('What?'), IMAGE];
      assert.equal(await render([{ role: 'user', content }]), `<|image_1|> ${question} What? <|image_2|>`);
      assert.equal(await render([{ role: 'user', content: 'Find me an image.' }]), 'Find me an image.');
    }));

  test('one message at a time', () =>
    withTemplate(source, {}, async (render) => {
      const message = { role: 'user', content: 'a' };
      await assert.rejects(render([message, message]), {
        code: 'invalid_template',
        message: /one message at a time/,
      });
    }));
});
