import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chooseTemplates } from '../../../lib/llm/choose-templates.js';
import type { ModelFolder } from '../../../lib/model-folder/model-folder.js';

const modelOf = (modelType: string, chatTemplates?: ModelFolder['chatTemplates']): ModelFolder => ({
  path: '/model',
  name: 'model',
  config: {},
  modelType,
  generationConfig: {},
  tokenizerJson: {},
  tokenizerConfig: {},
  chatTemplates,
});

const OWN = { default: 'own', toolUse: 'own with tools' };
let folder: string;
before(async () => (folder = await mkdtemp(join(tmpdir(), 'sensorium-choose-'))));
after(() => rm(folder, { recursive: true }));

test('the option goes before the checkpoint’s own, for chats with tools too', async () => {
  const file = join(folder, 'a{template}.jinja');
  await writeFile(file, 'from file');
  assert.deepEqual(await chooseTemplates(file, modelOf('qwen2', OWN), 'generate'), { default: 'from file' });
  for (const text of ['{{ messages }}', 'two\nlines', '{% if true %}one line{% endif %}']) {
    assert.deepEqual(await chooseTemplates(text, modelOf('qwen2', OWN), 'generate'), { default: text });
  }
});

test('templates that come with the package go by their name', async () => {
  const templates = await chooseTemplates('template_vlm2vec_phi3v.jinja', modelOf('phi3_v'), 'generate');
  assert.match(templates?.default ?? '', /<\|image_/);
});

test('without the option: the checkpoint’s own, the family’s usual one, or none', async () => {
  assert.equal(await chooseTemplates(undefined, modelOf('qwen2', OWN), 'generate'), OWN);
  assert.match((await chooseTemplates(undefined, modelOf('llava'), 'generate'))?.default ?? '', /ASSISTANT:/);
  assert.equal(await chooseTemplates(undefined, modelOf('whisper'), 'generate'), undefined);
});

test('a model that is asked for embeddings has its own way of being asked', async () => {
  const templates = await chooseTemplates(undefined, modelOf('phi3_v', OWN), 'embed');
  assert.match(templates?.default ?? '', /one message at a time/);
  assert.equal(await chooseTemplates(undefined, modelOf('qwen2_vl', OWN), 'embed'), OWN);
});

test('what is neither a file nor a template is refused', async () => {
  for (const option of [
    'no-such-file.jinja',
    '../templates/template_vlm2vec_phi3v.jinja',
    folder,
    'x'.repeat(10_000),
  ]) {
    await assert.rejects(chooseTemplates(option, modelOf('qwen2'), 'generate'), {
      code: 'invalid_option',
      param: 'chatTemplate',
    });
  }
});
