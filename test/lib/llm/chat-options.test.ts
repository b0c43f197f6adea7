import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LLM, type ChatCallOptions, type ChatMessageInput } from '../../../lib/llm.js';

const HELLO: ChatMessageInput[] = [{ role: 'user', content: 'hello' }];
const GREEDY = { temperature: 0, maxTokens: 4 };

let llm: LLM;
before(async () => (llm = await LLM.load({ maxModelLen: 512, trustRequestChatTemplate: true })));
after(() => llm.close());

const promptOf = async (messages: ChatMessageInput[], options: ChatCallOptions = {}): Promise<string> => {
  const { promptTokenIds } = await llm.chat(messages, { ...GREEDY, ...options });
  return llm.detokenize(promptTokenIds, { skipSpecialTokens: false });
};

describe('chat in process', () => {
  test('a template of the call, in a batch too', async () => {
    const options = { chatTemplate: 'Q: {{ messages[0].content }}' };
    assert.equal(await promptOf(HELLO, options), 'Q: hello');
    const results = await llm.chat([HELLO, [{ role: 'user', content: 'bye' }]], { ...GREEDY, ...options });
    assert.deepEqual(
      results.map(({ promptTokenIds }) => llm.detokenize(promptTokenIds)),
      ['Q: hello', 'Q: bye'],
    );
  });

  test('a hostile one is refused, and the next call works', async () => {
    const chatTemplate =
      '{% for a in range(100000) %}{% for b in range(100000) %}{% set c = b %}{% endfor %}{% endfor %}';
    await assert.rejects(llm.chat(HELLO, { ...GREEDY, chatTemplate }), { code: 'template_timeout' });
    assert.match(await promptOf(HELLO), /user\nhello/);
  });

  test('prompt options', async () => {
    const turns = [...HELLO, { role: 'assistant', content: 'It is' }];
    assert.match(await promptOf(HELLO, { addGenerationPrompt: false }), /hello<\|im_end\|>\n$/);
    assert.match(await promptOf(turns, { continueFinalMessage: true }), /assistant\nIt is$/);
    await assert.rejects(llm.chat(turns, { continueFinalMessage: true, addGenerationPrompt: true }), {
      code: 'invalid_value',
    });
    const chatTemplate = '{{ documents[0].text }} {{ reasoning_effort }} {{ mood }}';
    const options: ChatCallOptions = {
      documents: [{ text: 'd' }],
      reasoningEffort: 'high',
      chatTemplateKwargs: { mood: 'm' },
    };
    assert.equal(await promptOf(HELLO, { ...options, chatTemplate }), 'd high m');
  });

  test('options of a wrong type are named', async () => {
    const cases: [options: object, code: string, param: string][] = [
      [{ chatTemplate: 7 }, 'invalid_option', 'chatTemplate'],
      [{ chatTemplate: '' }, 'invalid_option', 'chatTemplate'],
      [{ chatTemplateKwargs: [] }, 'invalid_option', 'chatTemplateKwargs'],
      [{ addGenerationPrompt: 'yes' }, 'invalid_option', 'addGenerationPrompt'],
      [{ continueFinalMessage: 1 }, 'invalid_option', 'continueFinalMessage'],
      [{ tools: {} }, 'invalid_option', 'tools'],
      [{ documents: 'd' }, 'invalid_option', 'documents'],
      [{ reasoningEffort: 'much' }, 'invalid_option', 'reasoningEffort'],
      [{ addSpecialTokens: null }, 'invalid_option', 'addSpecialTokens'],
      [{ cacheSalt: 7 }, 'invalid_option', 'cacheSalt'],
      [{ cacheSalt: '' }, 'invalid_value', 'cacheSalt'],
      [{ cacheSalt: 'x'.repeat(257) }, 'invalid_value', 'cacheSalt'],
      [{ chat_template: 'x' }, 'invalid_option', 'chat_template'],
    ];
    for (const [options, code, param] of cases) {
      await assert.rejects(llm.chat(HELLO, options), { code, param }, JSON.stringify(options));
    }
  });

  test('parts are named, and conversations of a batch told apart', async () => {
    const bad: ChatMessageInput[] = [
      { role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'smell' }] },
    ];
    await assert.rejects(llm.chat(bad), { code: 'unknown_part_type', param: 'messages[0].content[1].type' });
    await assert.rejects(llm.chat([HELLO, bad], GREEDY), {
      code: 'unknown_part_type',
      message: /^Entry 1 of the batch: /,
    });
  });
});

test('templates of calls are refused where the model was not loaded for them', async () => {
  const closed = await LLM.load({ maxModelLen: 512 });
  try {
    await assert.rejects(closed.chat(HELLO, { chatTemplate: 'x' }), {
      code: 'invalid_value',
      param: 'chatTemplate',
    });
  } finally {
    await closed.close();
  }
});

test('formats, orders and sizes of limits are options of the model', async () => {
  const first = await LLM.load({
    maxModelLen: 512,
    chatTemplate: '{% for m in messages %}{{ m.content }}{% endfor %}',
    interleaveMmStrings: false,
    limitMmPerPrompt: { image: { count: 1, width: 512 }, video: 0 },
  });
  try {
    assert.deepEqual(first.mediaRules.itemLimits, { image: { width: 512 } });
    const image = { data: new Uint8Array(3 * 56 * 56), width: 56, height: 56 };
    const content = [
      { type: 'text', text: 'a' },
      { type: 'image', image },
    ];
    const { promptTokenIds } = await first.chat([{ role: 'user', content }], GREEDY);
    assert.match(
      first.detokenize(promptTokenIds, { skipSpecialTokens: false }),
      /^<\|vision_bos\|>.*<\|vision_eos\|>\na$/,
    );
    const two = [...content, { type: 'image', image }];
    await assert.rejects(first.chat([{ role: 'user', content: two }]), {
      code: 'too_many_media',
      param: 'messages[0].content[2]',
    });
  } finally {
    await first.close();
  }
});
