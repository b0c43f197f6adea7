import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SensoriumError } from '../../../lib/errors.js';
import type { ChatOptions } from '../../../lib/request/types.js';
import { FAMILIES, GOLDENS, goldenCases, readInt32Tensor, readJson } from '../support/goldens.js';
import { AUDIO, IMAGE, openChat, parse, VIDEO, type Chat } from './support.js';

function collapse(ids: readonly number[], placeholderIds: ReadonlySet<number>): number[] {
  return ids.filter((id, i) => !placeholderIds.has(id) || ids[i - 1] !== id);
}

const countPlaceholders = (chat: Chat, ids: readonly number[]): number =>
  ids.filter((id) => chat.placeholderIds.has(id)).length;

async function withChat(
  family: string,
  template: string | undefined,
  body: (chat: Chat) => Promise<void>,
): Promise<void> {
  const chat = await openChat(family, template);
  try {
    await body(chat);
  } finally {
    chat.renderer.close();
  }
}

const hasCode = (code: string) => (error: unknown) => error instanceof SensoriumError && error.code === code;

describe("the checkpoints' own templates", () => {
  for (const family of FAMILIES) {
    test(`${family}: ids of every golden chat`, () =>
      withChat(family, undefined, async (chat) => {
        for (const golden of goldenCases(family)) {
          if (golden.request.messages === undefined || golden.expected.use_audio_in_video === true) continue;
          const { tokenIds } = await chat.renderer.render(parse(golden.request.messages), {
            chatTemplateKwargs: golden.request.chat_template_kwargs,
          });
          assert.deepEqual(
            tokenIds,
            collapse(readInt32Tensor(golden, 'input_ids'), chat.placeholderIds),
            golden.name,
          );
        }
      }));
  }
});

describe('user text that spells control or placeholder tokens', () => {
  const cases = (
    readJson(join(GOLDENS, 'components', 'hostile_media', 'cases.json')) as {
      user_text: { family: string; text: string }[];
    }
  ).user_text.filter(({ family }) => FAMILIES.includes(family));

  for (const { family, text } of cases) {
    test(`${family}: ${JSON.stringify(text)} stays text, alone and beside an image`, () =>
      withChat(family, undefined, async (chat) => {
        const plain = chat.tokenizer.encodePlain(text);
        assert.equal(chat.tokenizer.decode(plain, { skipSpecialTokens: false }), text);
        const harmless = await chat.renderer.render(parse([{ role: 'user', content: 'a' }]));
        const alone = await chat.renderer.render(parse([{ role: 'user', content: text }]));
        assert.equal(chat.tokenizer.decode(alone.tokenIds, { skipSpecialTokens: true }).includes(text), true);
        const countSpecial = (ids: number[]): number =>
          ids.filter((id) => chat.tokenizer.isSpecial(id)).length;
        assert.equal(countSpecial(alone.tokenIds), countSpecial(harmless.tokenIds));
        const beside = await chat.renderer.render(
          parse([{ role: 'user', content: [{ type: 'text', text }, IMAGE] }]),
        );
        assert.equal(countPlaceholders(chat, beside.tokenIds), 1);
        assert.equal(beside.media.length, 1);
      }));
  }

  test('two parts, or a part and a name, cannot form a control token together', () =>
    withChat('qwen2_vl', undefined, async (chat) => {
      const content = [
        { type: 'text', text: '<|im_' },
        { type: 'text', text: 'end|>' },
        { type: 'text', text: '<' },
        { type: 'text', text: '|image_pad|>' },
      ];
      const { tokenIds } = await chat.renderer.render(parse([{ role: 'user', content }]));
      assert.equal(countPlaceholders(chat, tokenIds), 0);
      const text = chat.tokenizer.decode(tokenIds);
      assert.ok(text.includes('<|im_end|><|image_pad|>'), text);
    }));

  test('private-use characters of the user come through', () =>
    withChat('qwen2_vl', undefined, async (chat) => {
      const text = '\ue000<|im_end|>\ue001\uf8ff';
      const { tokenIds } = await chat.renderer.render(parse([{ role: 'user', content: text }]));
      assert.ok(chat.tokenizer.decode(tokenIds).includes(text));
    }));

  test('tools and template variables are held to the same rule', () =>
    withChat('qwen2', '{{ tools | tojson }}{{ note }}{{ messages[0].content }}<|im_end|>', async (chat) => {
      const { tokenIds } = await chat.renderer.render(parse([{ role: 'user', content: 'x' }]), {
        tools: [{ '<|im_end|>': '<|im_start|>' }],
        chatTemplateKwargs: { note: '<|im_end|>' },
      });
      assert.equal(tokenIds.filter((id) => chat.tokenizer.isSpecial(id)).length, 1);
    }));
});

describe('order and number of media', () => {
  test('a template that takes text keeps text and media in the order of the parts', () =>
    withChat('qwen2_5_omni', '{% for m in messages %}{{ m.content }}{% endfor %}', async (chat) => {
      const content = [
        { type: 'text', text: 'a' },
        AUDIO,
        { type: 'text', text: 'b' },
        IMAGE,
        VIDEO,
        { type: 'text', text: 'c' },
      ];
      const { tokenIds, media } = await chat.renderer.render(parse([{ role: 'user', content }]));
      assert.equal(
        chat.tokenizer.decode(tokenIds, { skipSpecialTokens: false }),
        [
          'a',
          '<|audio_bos|><|AUDIO|><|audio_eos|>',
          'b',
          '<|vision_bos|><|IMAGE|><|vision_eos|>',
          '<|vision_bos|><|VIDEO|><|vision_eos|>',
          'c',
        ].join('\n'),
      );
      assert.deepEqual(
        media.map((part) => part.modality),
        ['audio', 'image', 'video'],
      );
    }));

  test('a template that forgets media is a placeholder_mismatch that names the part', () =>
    withChat(
      'qwen2_vl',
      '{% for m in messages %}{% for c in m.content %}{{ c.text }}{% endfor %}{% endfor %}',
      async (chat) => {
        const rendering = chat.renderer.render(
          parse([{ role: 'user', content: [{ type: 'text', text: 'a' }, IMAGE] }]),
        );
        await assert.rejects(rendering, (error: SensoriumError) => {
          assert.equal(error.code, 'placeholder_mismatch');
          assert.equal(error.param, 'messages[0].content[1].image_url');
          return true;
        });
      },
    ));
});

describe('options', () => {
  test('without the generation prompt, and continuing the final message', () =>
    withChat('qwen2_vl', undefined, async (chat) => {
      const messages = parse([
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'It is ' },
      ]);
      const closed = await chat.renderer.render(messages, { addGenerationPrompt: false });
      assert.ok(
        chat.tokenizer.decode(closed.tokenIds, { skipSpecialTokens: false }).endsWith('It is <|im_end|>\n'),
      );
      const open = await chat.renderer.render(messages, { continueFinalMessage: true });
      assert.ok(
        chat.tokenizer
          .decode(open.tokenIds, { skipSpecialTokens: false })
          .endsWith('<|im_start|>assistant\nIt is '),
      );
      await assert.rejects(
        chat.renderer.render(messages, { continueFinalMessage: true, addGenerationPrompt: true }),
        hasCode('invalid_value'),
      );
    }));

  test('template variables reach the template, but not those that carry the conversation', () =>
    withChat('qwen2_vl', undefined, async (chat) => {
      const messages = parse([{ role: 'user', content: [IMAGE] }]);
      const { tokenIds } = await chat.renderer.render(messages, {
        chatTemplateKwargs: { add_vision_id: true },
      });
      assert.ok(chat.tokenizer.decode(tokenIds).includes('Picture 1: '));
      await assert.rejects(
        chat.renderer.render(messages, { chatTemplateKwargs: { messages: [] } }),
        hasCode('invalid_value'),
      );
    }));
});

describe('what else templates read', () => {
  const textOf = async (template: string, messages: unknown, options: ChatOptions = {}): Promise<string> => {
    const chat = await openChat('qwen2_vl', template);
    try {
      const { tokenIds } = await chat.renderer.render(parse(messages), options);
      return chat.tokenizer.decode(tokenIds, { skipSpecialTokens: false });
    } finally {
      chat.renderer.close();
    }
  };

  test('further keys of parts, as text', async () => {
    const template =
      "{% for m in messages %}{% for c in m.content %}{{ c.cache_control.type ~ c.note ~ c['__proto__'] }}{% endfor %}{% endfor %}";
    const part = JSON.parse(
      '{"type":"text","text":"a","cache_control":{"type":"x"},"note":"<|im_end|>","__proto__":"p"}',
    ) as object;
    assert.equal(await textOf(template, [{ role: 'user', content: [part] }]), 'x<|im_end|>p');
  });

  test('keys of parts cannot pass for media', () =>
    withChat('qwen2_vl', undefined, async (chat) => {
      const part = { type: 'text', text: 'a', image: 'x', video: 'x' };
      const { media, tokenIds } = await chat.renderer.render(parse([{ role: 'user', content: [part] }]));
      assert.equal(media.length + countPlaceholders(chat, tokenIds), 0);
    }));

  test('developers speak as the system, first and with one voice, where the template knows none', async () => {
    const messages = [
      { role: 'system', content: 'a' },
      { role: 'user', content: 'q' },
      { role: 'developer', content: [{ type: 'text', text: 'b' }] },
    ];
    const template = '{% for m in messages %}[{{ m.role }}: {{ m.content }}]{% endfor %}';
    assert.equal(await textOf(template, messages), '[system: a\n\nb][user: q]');
    assert.equal(await textOf(`${template}{# developer #}`, messages), '[system: a][user: q][developer: b]');
    assert.equal(await textOf(template, messages.slice(0, 2)), '[system: a][user: q]');
  });

  test('thoughts are cut off an earlier answer, and its indentation stays', async () => {
    const template =
      "{% for m in messages %}[{{ (m.content.split('</think>') | last).lstrip('\\n') }}]{% endfor %}";
    const messages = [
      { role: 'user', content: ' q' },
      { role: 'assistant', content: '<think>\nhm\n</think>\n\n  indented\n' },
    ];
    assert.equal(await textOf(template, messages, {}), '[ q][  indented\n]');
  });

  test('keys of tools that a template prints by itself are left out of the others', async () => {
    const template =
      "{% for t in tools %}{{ t.function.name }}:{% for k in t.function.keys() | reject('in', ['name']) %}{{ k }};{% endfor %}{% endfor %}";
    const tools = [{ type: 'function', function: { name: 'f', description: 'd', parameters: {} } }];
    const messages = [{ role: 'user', content: 'q' }];
    assert.equal(await textOf(template, messages, { tools }), 'f:description;parameters;');
  });

  test('documents, an effort, reasoning and names', async () => {
    const messages = [
      { role: 'user', content: 'q', name: 'Ann' },
      { role: 'assistant', content: 'a', reasoning: 'r' },
    ];
    const template =
      '{{ documents[0].text }} {{ reasoning_effort }} {{ enable_thinking }} {{ messages[0].name }} {{ messages[1].reasoning_content }}';
    const documents = [{ text: 'd' }];
    assert.equal(
      await textOf(template, messages, { documents, reasoningEffort: 'none' }),
      'd none False Ann r',
    );
    const chatTemplateKwargs = { enable_thinking: false };
    assert.equal(
      await textOf(template, messages, { documents, reasoningEffort: 'low', chatTemplateKwargs }),
      'd low False Ann r',
    );
  });

  test('tools take their own template where there is one', async () => {
    const { ChatRenderer } = await import('../../../lib/chat/chat-renderer.js');
    const { tokenizer, renderer } = await openChat('qwen2');
    renderer.close();
    const templates = { default: 'plain', toolUse: 'with {{ tools | length }}' };
    const both = await ChatRenderer.create({ tokenizer, placeholders: {}, tokenizerConfig: {}, templates });
    const messages = parse([{ role: 'user', content: 'x' }]);
    const render = async (options: ChatOptions): Promise<string> =>
      tokenizer.decode((await both.render(messages, options)).tokenIds);
    assert.equal(await render({}), 'plain');
    assert.equal(await render({ tools: [] }), 'plain');
    assert.equal(await render({ tools: [{ type: 'function', function: { name: 'f' } }] }), 'with 1');
    both.close();
  });
});

test('a model without a template says so', async () => {
  const { ChatRenderer } = await import('../../../lib/chat/chat-renderer.js');
  const { tokenizer, renderer } = await openChat('qwen2');
  renderer.close();
  const bare = await ChatRenderer.create({ tokenizer, placeholders: {}, tokenizerConfig: {} });
  await assert.rejects(bare.render(parse([{ role: 'user', content: 'x' }])), hasCode('template_missing'));
});
