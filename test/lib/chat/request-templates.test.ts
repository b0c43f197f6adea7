import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MAX_REQUEST_TEMPLATE_LENGTH, RequestTemplates } from '../../../lib/chat/request-templates.js';
import { SensoriumError } from '../../../lib/errors.js';
import { IMAGE, openChat, parse, type Chat } from './support.js';

const hasCode =
  (...codes: string[]) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof SensoriumError, String(error));
    assert.ok(codes.includes(error.code), `${error.code}: ${error.message}`);
    assert.equal(error.status, 400);
    return true;
  };

const doubling = (count: number): string =>
  `{% set ns = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(${count}) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}`;

/** What would block, exhaust or end a process that rendered it. */
const HOSTILE: Record<string, string> = {
  'loops in loops':
    '{% for a in range(100000) %}{% for b in range(100000) %}{% set c = b %}{% endfor %}{% endfor %}',
  'a range without end': '{% for a in range(100000000000) %}{% endfor %}',
  'text growing by doubling': doubling(100) + '{{ ns.s }}',
  'a quarter of a gigabyte of text': doubling(24) + '{{ ns.s }}',
  'a large text copied at once': doubling(23) + '{{ ns.s | upper | length }}',
  'a text that each replacement makes larger':
    doubling(18) + "{{ ns.s | replace('a', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa') | length }}",
  'lists growing by doubling':
    '{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = ns.l + ns.l %}{% endfor %}',
  'lists in lists':
    '{% set ns = namespace(l=[1]) %}{% for i in range(60) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}',
  'twenty thousand parentheses': '{{ ' + '('.repeat(20_000) + '1' + ')'.repeat(20_000) + ' }}',
  'thirty thousand sums': '{{ ' + '1+'.repeat(30_000) + '1 }}',
  'a macro that calls itself': '{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}',
  'nothing that parses': '{% for x in %}',
  'a raised exception': "{{ raise_exception('no') }}",
};

describe('templates in a process of their own', () => {
  let templates: RequestTemplates;
  before(async () => (templates = await RequestTemplates.create()));
  after(() => templates.close());

  for (const [name, source] of Object.entries(HOSTILE)) {
    test(`${name}: an error, and the next template works`, async () => {
      const rendering = templates.inspect(source).then(() => templates.render(source, {}));
      await assert.rejects(rendering, hasCode('invalid_template', 'template_timeout'));
      assert.equal(await templates.render('{{ 1 + 1 }} {{ name }}', { name: 'x' }), '2 x');
    });
  }

  test('more templates than are kept, each with its own format and text', async () => {
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 40; i++) {
        const inner = i % 2 === 0 ? '{{ m.content }}' : '{% for c in m.content %}{{ c.text }}{% endfor %}';
        const source = `${i}{% for m in messages %}${inner}{% endfor %}`;
        const { format } = await templates.inspect(source);
        assert.equal(format, i % 2 === 0 ? 'string' : 'openai');
        const content = format === 'string' ? 'a' : [{ text: 'a' }];
        assert.equal(await templates.render(source, { messages: [{ content }] }), `${i}a`);
      }
    }
  });

  test('a template beyond the limit is refused unread', async () => {
    await assert.rejects(
      templates.inspect('x'.repeat(MAX_REQUEST_TEMPLATE_LENGTH + 1)),
      hasCode('invalid_value'),
    );
    assert.equal((await templates.inspect('x'.repeat(MAX_REQUEST_TEMPLATE_LENGTH))).format, 'string');
  });

  test('globals of the process are out of reach', async () => {
    const probes = [
      '{{ process }}',
      '{{ globalThis }}',
      "{{ ''.constructor }}",
      '{{ namespace.constructor }}',
    ];
    for (const probe of probes) {
      const text = await templates.render(probe, {}).catch((error: SensoriumError) => error.code);
      assert.ok(['', 'undefined', 'invalid_template'].includes(text), `${probe}: ${text}`);
    }
  });
});

describe('chats with a template of the request', () => {
  let chat: Chat;
  before(
    async () => (chat = await openChat('qwen2_vl', undefined, undefined, { trustRequestTemplates: true })),
  );
  after(() => chat.renderer.close());

  const textOf = async (content: unknown, chatTemplate: string): Promise<string> => {
    const { tokenIds } = await chat.renderer.render(parse([{ role: 'user', content }]), { chatTemplate });
    return chat.tokenizer.decode(tokenIds, { skipSpecialTokens: false });
  };

  test('it replaces the model’s own, in both formats', async () => {
    assert.equal(await textOf('hi', 'Q: {{ messages[0].content }}'), 'Q: hi');
    const parts =
      "{% for m in messages %}{% for c in m.content %}{{ c.text if c.type == 'text' else '<|vision_start|><|image_pad|><|vision_end|>' }}{% endfor %}{% endfor %}";
    assert.equal(
      await textOf([{ type: 'text', text: 'a' }, IMAGE], parts),
      'a<|vision_start|><|image_pad|><|vision_end|>',
    );
  });

  test('what it spells is control, what the user spells is not', async () => {
    const { tokenIds } = await chat.renderer.render(parse([{ role: 'user', content: '<|im_end|>' }]), {
      chatTemplate: '{{ messages[0].content }}<|im_end|>',
    });
    assert.equal(tokenIds.filter((id) => chat.tokenizer.isSpecial(id)).length, 1);
  });

  test('a hostile one costs its request; others go on meanwhile', async () => {
    const messages = parse([{ role: 'user', content: 'x' }]);
    const hostile = chat.renderer.render(messages, { chatTemplate: HOSTILE['loops in loops']! });
    let isHostileDone = false;
    const ended = assert.rejects(hostile, (error: SensoriumError) => {
      isHostileDone = true;
      return error.code === 'template_timeout' && error.param === 'chat_template';
    });
    await chat.renderer.render(messages);
    assert.equal(isHostileDone, false);
    await ended;
  });

  test('mismatched media of such a template are told by their part', async () => {
    await assert.rejects(textOf([IMAGE], 'nothing'), {
      code: 'placeholder_mismatch',
      param: 'messages[0].content[0].image_url',
    });
  });
});

test('by default templates of requests are refused', async () => {
  const chat = await openChat('qwen2_vl');
  try {
    const rendering = chat.renderer.render(parse([{ role: 'user', content: 'x' }]), { chatTemplate: 'x' });
    await assert.rejects(rendering, {
      code: 'invalid_value',
      param: 'chat_template',
      message: /--trust-request-chat-template/,
    });
  } finally {
    chat.renderer.close();
  }
});
