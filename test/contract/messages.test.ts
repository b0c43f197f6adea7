import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { dataUrl, SAMPLES } from './support/samples.js';
import { useServer } from './support/server.js';

const service = useServer(['--served-model-name', 'demo']);
const HELLO = [{ role: 'user', content: 'hello' }];
const PICTURE = dataUrl(SAMPLES.find(({ kind }) => kind === 'image')!.files[0]!);
const IMAGE = { type: 'image_url', image_url: { url: PICTURE } };

interface Answer {
  status: number;
  body: any;
}

async function post(route: string, body: unknown): Promise<Answer> {
  const response = await fetch(service.url + route, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

const chat = (fields: object): Promise<Answer> =>
  post('/v1/chat/completions', { messages: HELLO, max_tokens: 2, temperature: 0, ...fields });
const ask = (...content: unknown[]): Promise<Answer> => chat({ messages: [{ role: 'user', content }] });

/** The prompt of a chat as text, special tokens included. */
async function promptOf(fields: object): Promise<string> {
  const { body } = await post('/tokenize', { messages: HELLO, ...fields });
  assert.ok(Array.isArray(body.tokens), JSON.stringify(body));
  return (await post('/detokenize', { tokens: body.tokens })).body.prompt as string;
}

describe('parts that are wrong are named, and cost nothing but their request', () => {
  const cases: [name: string, part: unknown, code: string, param: string][] = [
    ['unknown type', { type: 'smell' }, 'unknown_part_type', '.type'],
    ['no type', { rose: 1 }, 'missing_field', '.type'],
    ['a number', 7, 'invalid_type', ''],
    ['no url', { type: 'image_url', image_url: {} }, 'missing_field', '.image_url'],
    ['null without uuid', { type: 'input_audio', input_audio: null }, 'missing_field', '.input_audio'],
    ['bare string without uuid', { type: 'image_url', image_url: PICTURE }, 'invalid_type', '.image_url'],
    [
      'payload of another type',
      { type: 'image_url', video_url: { url: PICTURE } },
      'missing_field',
      '.image_url',
    ],
    ['uuid too long', { ...IMAGE, uuid: 'x'.repeat(257) }, 'invalid_value', '.uuid'],
    ['uuid empty', { ...IMAGE, uuid: '' }, 'invalid_value', '.uuid'],
    ['uuid of half a character', { ...IMAGE, uuid: '\ud800' }, 'invalid_value', '.uuid'],
    ['uuid an object', { ...IMAGE, uuid: {} }, 'invalid_type', '.uuid'],
    [
      'embeddings without their flag',
      { type: 'image_embeds', image_embeds: 'AAAA' },
      'unsupported_modality',
      '',
    ],
  ];
  for (const [name, part, code, path] of cases) {
    test(name, async () => {
      const { status, body } = await ask('a', part);
      assert.equal(status, 400);
      assert.equal(body.error.code, code);
      assert.equal(body.error.param, `messages[0].content[1]${path}`);
      assert.equal((await chat({})).status, 200);
    });
  }
});

test('odd uuids are names like others', async () => {
  for (const uuid of ['__proto__', 'constructor', 'a\u0000b', 'line\nline', '😀'.repeat(256), 42]) {
    assert.equal((await ask({ ...IMAGE, uuid }, 'What?')).status, 200, String(uuid));
    const again = await ask({ type: 'image_url', image_url: null, uuid }, 'What?');
    assert.equal(again.status, 200, String(uuid));
    assert.equal(again.body.usage.prompt_tokens_details.cached_media, 1);
  }
});

test('257 media parts are too many; 300 texts are not', async () => {
  const { status, body } = await ask(
    ...Array.from({ length: 257 }, () => ({ type: 'image_url', uuid: 'one' })),
  );
  assert.equal(status, 400);
  assert.equal(body.error.code, 'too_many_media');
  assert.equal((await ask(...Array.from({ length: 300 }, () => 'a'))).status, 200);
});

describe('roles', () => {
  test('developers, names, silent assistants, and tools with pictures', async () => {
    assert.match(
      await promptOf({ messages: [{ role: 'developer', content: 'Be brief.' }, ...HELLO] }),
      /system\nBe brief\./,
    );
    const messages = [
      { role: 'user', content: 'look', name: 'Ann' },
      {
        role: 'assistant',
        content: null,
        tool_calls: [{ id: 'c', type: 'function', function: { name: 'see', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: 'c', content: [{ type: 'text', text: 'here' }, IMAGE] },
    ];
    const { status, body } = await chat({ messages });
    assert.equal(status, 200);
    assert.ok(body.usage.prompt_tokens_details.image_tokens > 0);
  });

  test('a text of a tool in parts is one text; null texts are none', async () => {
    const text = (value: string | null): object => ({ type: 'text', text: value });
    const prompt = await promptOf({
      messages: [...HELLO, { role: 'tool', content: [text('x'), text('y'), text(null)] }],
    });
    assert.match(prompt, /tool\nx\ny<\|im_end\|>/);
  });
});

describe('what makes the prompt', () => {
  test('the generation prompt, and continuing the final message', async () => {
    const messages = [...HELLO, { role: 'assistant', content: 'It is' }];
    assert.match(await promptOf({}), /<\|im_start\|>assistant\n$/);
    assert.doesNotMatch(await promptOf({ add_generation_prompt: false }), /assistant\n$/);
    assert.match(await promptOf({ messages, continue_final_message: true }), /assistant\nIt is$/);
    assert.match(
      await promptOf({ messages, continue_final_message: true, add_generation_prompt: false }),
      /It is$/,
    );
    const both = await chat({ messages, continue_final_message: true, add_generation_prompt: true });
    assert.equal(both.status, 400);
    assert.equal(both.body.error.param, 'continue_final_message');
  });

  test('variables reach the template; those of the conversation are refused', async () => {
    const messages = [{ role: 'user', content: [IMAGE] }];
    assert.match(await promptOf({ messages, chat_template_kwargs: { add_vision_id: true } }), /Picture 1: /);
    for (const name of [
      'messages',
      'tools',
      'chat_template',
      'tokenize',
      'bos_token',
      'add_generation_prompt',
    ]) {
      const { status, body } = await chat({ chat_template_kwargs: { [name]: 'x' } });
      assert.equal(status, 400, name);
      assert.equal(body.error.param, `chat_template_kwargs.${name}`);
    }
    assert.equal((await chat({ chat_template_kwargs: { unknown: [1, { a: null }] } })).status, 200);
  });

  test('documents, an effort and special tokens are taken; wrong ones are named', async () => {
    assert.equal(
      (
        await chat({
          documents: [{ title: 't', text: 'd' }],
          reasoning_effort: 'low',
          add_special_tokens: true,
        })
      ).status,
      200,
    );
    for (const [field, value] of [
      ['documents', 'd'],
      ['reasoning_effort', 'much'],
      ['add_special_tokens', 1],
    ] as const) {
      const { status, body } = await chat({ [field]: value });
      assert.equal(status, 400);
      assert.equal(body.error.param, field);
    }
  });

  test('what is not done here is declined by name', async () => {
    for (const fields of [
      { echo: true },
      { use_beam_search: true },
      { prompt_logprobs: 1 },
      { bad_words: ['a'] },
    ]) {
      const { status, body } = await chat(fields);
      assert.equal(status, 501);
      assert.equal(body.error.code, 'not_supported');
      assert.equal(body.error.param, Object.keys(fields)[0]);
    }
  });
});

test('numbers beyond reason are refused by their field, raw in JSON too', async () => {
  const numbers = ['2147483648', '-1', '1e999', '1.5', '"1"'];
  for (const field of ['n', 'max_tokens', 'max_completion_tokens', 'top_logprobs', 'top_k']) {
    for (const number of numbers) {
      if (field === 'top_k' && number === '-1') continue;
      const json = `{"messages":[{"role":"user","content":"a"}],"logprobs":true,"${field}":${number}}`;
      const { status, body } = await post('/v1/chat/completions', json);
      assert.equal(status, 400, json);
      assert.equal(body.error.param, field);
    }
  }
  for (const field of ['n', 'best_of', 'logprobs', 'max_tokens']) {
    for (const number of numbers) {
      const { status, body } = await post('/v1/completions', `{"prompt":"a","${field}":${number}}`);
      assert.equal(status, 400, `${field} ${number}`);
      assert.equal(body.error.param, field);
    }
  }
  assert.equal(
    (await post('/v1/chat/completions', '{"messages":[],"n":NaN}')).body.error.code,
    'invalid_json',
  );
});

test('salts are 1 to 256 characters', async () => {
  for (const cache_salt of ['', 'x'.repeat(257), '\ud800', 7]) {
    const { status, body } = await chat({ cache_salt });
    assert.equal(status, 400);
    assert.equal(body.error.param, 'cache_salt');
  }
  for (const cache_salt of ['x'.repeat(256), '__proto__', 'a\u0000\n'])
    assert.equal((await chat({ cache_salt })).status, 200);
});
