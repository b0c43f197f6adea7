import assert from 'node:assert/strict';
import { mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { runCli, startServerProcess, type ServerProcess } from '../lib/support/cli.js';
import { dataUrl, SAMPLES } from './support/samples.js';
import { useServer, type Service } from './support/server.js';

const DEMO = fileURLToPath(new URL('../../../models/demo/', import.meta.url));
const HELLO = [{ role: 'user' as const, content: 'hello' }];
const PICTURE = dataUrl(SAMPLES.find(({ kind }) => kind === 'image')!.files[0]!);
const IMAGE = { type: 'image_url', image_url: { url: PICTURE } };
const PLACEHOLDER = '<|vision_bos|><|IMAGE|><|vision_eos|>';

async function post(url: string, route: string, body: object): Promise<{ status: number; body: any }> {
  const response = await fetch(url + route, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: await response.json() };
}

/** The text that messages become; each picture's tokens as one placeholder. */
async function promptOf(url: string, messages: unknown, fields: object = {}): Promise<string> {
  const { body } = await post(url, '/tokenize', { messages, ...fields });
  if (body.tokens === undefined) throw Object.assign(new Error(body.error.message), body.error);
  const { body: text } = await post(url, '/detokenize', { tokens: body.tokens });
  return text.prompt.replaceAll(/(<\|IMAGE\|>)+/g, '<|IMAGE|>');
}

const user = (...content: unknown[]): object[] => [{ role: 'user', content }];
const text = (value: string): object => ({ type: 'text', text: value });

describe('templates of requests', () => {
  const closed = useServer();
  const open = useServer(['--trust-request-chat-template']);

  test('refused by default, whatever they say', async () => {
    for (const fields of [
      { chat_template: '{{ messages }}' },
      { chat_template_kwargs: { chat_template: 'x' } },
    ]) {
      const { status, body } = await post(closed.url, '/v1/chat/completions', { messages: HELLO, ...fields });
      assert.equal(status, 400);
      assert.match(body.error.param, /chat_template$/);
    }
  });

  test('taken with the flag: they replace the template of the model for this request alone', async () => {
    const own = await promptOf(open.url, HELLO);
    assert.equal(
      await promptOf(open.url, HELLO, { chat_template: 'Q: {{ messages[0].content }} A:' }),
      'Q: hello A:',
    );
    assert.equal(await promptOf(open.url, HELLO), own);
    const completion = await open.client.chat.completions.create({
      model: open.model,
      messages: HELLO,
      max_tokens: 2,
      chat_template: '{{ messages[0].content }}',
    } as never);
    assert.equal(
      completion.usage?.prompt_tokens,
      (await post(open.url, '/tokenize', { prompt: 'hello' })).body.count,
    );
  });

  test('hostile ones cost their request, not the server', async () => {
    const hostile = [
      '{% for a in range(100000) %}{% for b in range(100000) %}{% set c = b %}{% endfor %}{% endfor %}',
      "{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(24) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s | upper }}",
      '{{ ' + '('.repeat(20_000) + '1' + ')'.repeat(20_000) + ' }}',
      '{% for a in range(100000000000) %}{% endfor %}',
    ];
    const answers = await Promise.all([
      ...hostile.map((chat_template) =>
        post(open.url, '/v1/chat/completions', { messages: HELLO, chat_template }),
      ),
      post(open.url, '/v1/chat/completions', { messages: HELLO, max_tokens: 2 }),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      [400, 400, 400, 400, 200],
    );
    assert.equal(
      (await post(open.url, '/v1/chat/completions', { messages: HELLO, max_tokens: 2 })).status,
      200,
    );
  });
});

describe('a template that takes text', () => {
  const template = '{% for m in messages %}[{{ m.role }}] {{ m.content }}{% endfor %}';
  const interleaved = useServer(['--chat-template', template]);
  const first = useServer(['--chat-template', template, '--no-interleave-mm-strings']);
  const parts = user(text('a'), IMAGE, text('b'));

  test('media among the texts by default, before them on demand', async () => {
    assert.equal(await promptOf(interleaved.url, parts), `[user] a\n${PLACEHOLDER}\nb`);
    assert.equal(await promptOf(first.url, parts), `[user] ${PLACEHOLDER}\na\nb`);
    assert.equal(await promptOf(first.url, user(IMAGE, IMAGE)), `[user] ${PLACEHOLDER}\n${PLACEHOLDER}`);
  });

  test('placeholders that are typed stand for media; more of them than media are refused', async () => {
    const typed = text(`see ${PLACEHOLDER} here`);
    assert.equal(await promptOf(first.url, user(IMAGE, typed)), `[user] see ${PLACEHOLDER} here`);
    for (const [service, content] of [
      [first, [IMAGE, typed, typed]],
      [interleaved, [IMAGE, typed]],
    ] as [Service, unknown[]][]) {
      const { status, body } = await post(service.url, '/v1/chat/completions', {
        messages: user(...content),
      });
      assert.equal(status, 400);
      assert.equal(body.error.code, 'placeholder_mismatch');
      assert.equal(body.error.param, 'messages[0].content');
      assert.match(body.error.message, /^Found more '<\|vision_bos\|>/);
    }
  });

  test('without media they are text', async () => {
    const { body } = await post(first.url, '/tokenize', { messages: user(text(PLACEHOLDER)) });
    assert.ok(body.count > 5);
  });
});

describe('a format that is demanded', () => {
  const asText = useServer(['--chat-template-content-format', 'string']);
  const asParts = useServer([
    '--chat-template-content-format',
    'openai',
    '--chat-template',
    '{% for m in messages %}{{ m.content[0].type }} {{ m.content | length }}{% endfor %}',
  ]);

  test('string: the model’s own template gets text', async () => {
    assert.match(await promptOf(asText.url, user(text('a'), text('b'))), /user\na\nb<\|im_end\|>/);
  });

  test('openai: a template that prints contents gets parts', async () => {
    assert.equal(await promptOf(asParts.url, user(text('a'), text('b'))), 'text 2');
    assert.equal(await promptOf(asParts.url, HELLO), 'text 1');
  });
});

describe('a checkpoint without a template', () => {
  let folder: string;
  let mystery: ServerProcess | undefined;

  /** The demo model as another type, without templates. */
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sensorium-bare-'));
    for (const name of await readdir(DEMO)) {
      if (name.startsWith('chat_template')) continue;
      if (!['config.json', 'tokenizer_config.json'].includes(name))
        await symlink(DEMO + name, path.join(folder, name));
    }
    const readDemo = async (name: string): Promise<any> => JSON.parse(await readFile(DEMO + name, 'utf8'));
    const { chat_template: _, ...tokenizer } = await readDemo('tokenizer_config.json');
    await writeFile(path.join(folder, 'tokenizer_config.json'), JSON.stringify(tokenizer));
    const config = { ...(await readDemo('config.json')), model_type: 'mystery' };
    await writeFile(path.join(folder, 'config.json'), JSON.stringify(config));
    mystery = await startServerProcess([folder, '--log-level', 'warn']);
  });
  after(async () => {
    await mystery?.stop();
    await rm(folder, { recursive: true });
  });

  test('chats are refused, completions work, and a file helps', async () => {
    const { url } = mystery!;
    const { status, body } = await post(url, '/v1/chat/completions', { messages: HELLO });
    assert.equal(status, 400);
    assert.equal(body.error.code, 'template_missing');
    assert.match(body.error.message, /--chat-template/);
    assert.equal((await post(url, '/v1/completions', { prompt: 'hi', max_tokens: 2 })).status, 200);
    const file = path.join(folder, 'my.jinja');
    await writeFile(file, '{{ messages[0].content }}!');
    const helped = await startServerProcess([folder, '--log-level', 'warn', '--chat-template', file]);
    assert.equal(await promptOf(helped.url, HELLO), 'hello!');
    await helped.stop();
  });

  test('the usual template of a known type is taken without asking', async () => {
    const config = JSON.parse(await readFile(path.join(folder, 'config.json'), 'utf8'));
    await writeFile(
      path.join(folder, 'config.json'),
      JSON.stringify({ ...config, model_type: 'qwen2_5_omni_thinker' }),
    );
    const server = await startServerProcess([folder, '--log-level', 'warn']);
    assert.match(
      await promptOf(server.url, user(text('a'), IMAGE)),
      /user\na<\|vision_bos\|><\|IMAGE\|><\|vision_eos\|><\|im_end\|>/,
    );
    await server.stop();
  });
});

test('a template that is neither a file nor a text ends the start with its name', async () => {
  const { code, stderr } = await runCli(['serve', '--port', '0', '--chat-template', 'nowhere.jinja']);
  assert.equal(code, 2);
  assert.match(stderr, /nowhere\.jinja/);
});
