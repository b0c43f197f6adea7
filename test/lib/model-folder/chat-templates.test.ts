import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { readChatTemplates, type ChatTemplates } from '../../../lib/model-folder/chat-templates.js';

/** The templates of a folder with these files; objects are written as JSON. */
async function templatesOf(
  files: Record<string, string | object>,
  tokenizerConfig: Record<string, unknown> = {},
): Promise<ChatTemplates | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'sensorium-templates-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
    }
    return await readChatTemplates(folder, tokenizerConfig);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const named = (...names: string[]): object[] => names.map((name) => ({ name, template: `of ${name}` }));

test('the processor’s template goes before the tokenizer’s, the newest file before the older ones', async () => {
  const tokenizer = { chat_template: 'tokenizer' };
  const files = {
    'chat_template.jinja': 'jinja',
    'chat_template.json': { chat_template: 'json' },
    'processor_config.json': { chat_template: 'processor' },
  };
  const { 'chat_template.jinja': _jinja, ...withoutJinja } = files;
  const { 'chat_template.json': _json, ...onlyProcessor } = withoutJinja;
  assert.equal((await templatesOf(files, tokenizer))?.default, 'jinja');
  assert.equal((await templatesOf(withoutJinja, tokenizer))?.default, 'json');
  assert.equal((await templatesOf(onlyProcessor, tokenizer))?.default, 'processor');
  assert.equal((await templatesOf({ 'processor_config.json': {} }, tokenizer))?.default, 'tokenizer');
  assert.equal(await templatesOf({}), undefined);
});

test('lists of named templates: default, and tool_use with tools', async () => {
  const both = { default: 'of default', toolUse: 'of tool_use' };
  assert.deepEqual(await templatesOf({}, { chat_template: named('rag', 'default', 'tool_use') }), both);
  assert.deepEqual(
    await templatesOf({ 'chat_template.json': { chat_template: named('default', 'tool_use') } }),
    both,
  );
  assert.deepEqual(await templatesOf({}, { chat_template: named('only') }), {
    default: 'of only',
    toolUse: undefined,
  });
});

test('with tools, another template is taken where the processor’s prints none', async () => {
  const tokenizer = { chat_template: '{{ tools }}' };
  assert.equal(
    (await templatesOf({ 'chat_template.jinja': '{{ messages }}' }, tokenizer))?.toolUse,
    '{{ tools }}',
  );
  assert.equal((await templatesOf({ 'chat_template.jinja': '{{ tools }}!' }, tokenizer))?.toolUse, undefined);
  const files = { 'chat_template.jinja': 'a', 'additional_chat_templates/tool_use.jinja': 'b' };
  assert.deepEqual(await templatesOf(files, tokenizer), { default: 'a', toolUse: 'b' });
});

test('what is no template is an invalid checkpoint', async () => {
  for (const value of [7, [], [{ name: 'default' }], [{ template: 'x' }], {}]) {
    await assert.rejects(templatesOf({}, { chat_template: value }), { code: 'invalid_checkpoint' });
  }
});
