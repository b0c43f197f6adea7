import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { APIError } from 'openai';
import {
  asPart,
  caseOf,
  itemsOf,
  messagesWith,
  type CaseItem,
  type Part,
} from '../lib/llm/embedding-cases.js';
import { GOLDENS, modelFolderOf, readJson } from '../lib/support/goldens.js';
import { writeNpy, writeSafetensors, writeTorchSave, type FileTensor } from '../lib/support/tensor-files.js';
import { useServer } from './support/server.js';

const golden = caseOf('qwen2_vl', 'img_basic');
const twoImages = caseOf('qwen2_vl', 'two_images_interleaved');
const clip = caseOf('qwen2_vl', 'video_frames_2fps');
const [item] = itemsOf(golden) as [CaseItem];
const args = [modelFolderOf('qwen2_vl'), '--dtype', 'float32', '--max-model-len', '4096'];
const service = useServer([...args, '--enable-mm-embeds']);
const closed = useServer(args);

const base64 = (file: Buffer): string => file.toString('base64');
const rowsOf = ({ rows }: CaseItem): FileTensor => ({ values: rows.data, shape: rows.shape });
const gridOf = ({ extras, modality }: CaseItem): FileTensor => ({
  values: extras[`${modality}_grid_thw`]!.data,
  shape: [3],
  type: 'int64',
});

/** The page's part: base64 of torch.save for each tensor. */
const torchPart = (entry: CaseItem): Part => {
  const { modality, extras } = entry;
  const key = `${modality}_embeds`;
  const payload: Part = {
    [key]: base64(writeTorchSave(rowsOf(entry))),
    [`${modality}_grid_thw`]: base64(writeTorchSave(gridOf(entry))),
  };
  const seconds = extras.second_per_grid_ts;
  if (seconds !== undefined) {
    payload.second_per_grid_ts = base64(writeTorchSave({ values: seconds.data, shape: seconds.shape }));
  }
  return { type: key, [key]: payload };
};

async function answer(messages: unknown, source = golden): Promise<{ text: string | null; usage: any }> {
  const { client, model } = service;
  const { request } = source;
  const completion = await client.chat.completions.create({
    model,
    messages: messages as never,
    temperature: 0,
    max_tokens: request.max_tokens,
  });
  return { text: completion.choices[0]!.message.content, usage: completion.usage };
}

async function check(messages: unknown, source = golden): Promise<void> {
  const { text, usage } = await answer(messages, source);
  assert.equal(text, source.expected.text);
  assert.equal(usage.prompt_tokens, source.expected.prompt_tokens);
}

const ask = (part: Part): unknown => messagesWith(golden, () => part);

async function refused(
  part: Part,
  status: number,
  code: string,
  text: RegExp,
  from = service,
): Promise<void> {
  const { client, model } = from;
  await assert.rejects(
    client.chat.completions.create({ model, messages: ask(part) as never, max_tokens: 2 }),
    (error: unknown) => {
      assert.ok(error instanceof APIError);
      assert.equal(error.status, status, error.message);
      assert.equal(error.code, code, error.message);
      assert.match(error.message, text);
      assert.match(error.param ?? '', /^messages\[0\]\.content\[\d\]/);
      return true;
    },
  );
}

test('base64 torch.save tensors give the answer of the raw media', async () => {
  await check(messagesWith(golden, torchPart));
  await check(messagesWith(twoImages, torchPart), twoImages);
  await check(messagesWith(clip, torchPart), clip);
});

test('npy, safetensors, data URLs and numbers do as well', async () => {
  const image_grid_thw = [[...(gridOf(item).values as Int32Array)]];
  const forms: unknown[] = [
    { image_embeds: base64(writeNpy(rowsOf(item))), image_grid_thw },
    { image_embeds: `data:application/x-npy;base64,${base64(writeNpy(rowsOf(item)))}`, image_grid_thw },
    base64(writeSafetensors({ rows: rowsOf(item), image_grid_thw: gridOf(item) })),
    `data:application/octet-stream;base64,${base64(writeSafetensors({ rows: rowsOf(item), image_grid_thw: gridOf(item) }))}`,
  ];
  for (const image_embeds of forms) await check(ask({ type: 'image_embeds', image_embeds }));
});

test('raw pictures stand beside embeddings of the same modality', async () => {
  const mixed = messagesWith(twoImages, (entry, index, part) => {
    if (index === 0) return torchPart(entry);
    const file = `${twoImages.folder}/${(part.image_url.url as string).slice('file:'.length)}`;
    const url = `data:image/png;base64,${readFileSync(file).toString('base64')}`;
    return { type: 'image_url', image_url: { url } };
  });
  await check(mixed, twoImages);
});

test('a uuid alone hits what was sent as embeddings, and the counters tell', async () => {
  const uuid = 'https://example.com/picture.png';
  await check(ask({ ...torchPart(item), uuid }));
  const hits = await service.metric('sensorium_media_cache_hits_total');
  await check(ask({ type: 'image_embeds', image_embeds: null, uuid }));
  await check(ask({ type: 'image_url', image_url: null, uuid }));
  assert.equal(await service.metric('sensorium_media_cache_hits_total'), hits + 2);
  await refused(
    { type: 'image_embeds', image_embeds: null, uuid: 'never-seen' },
    404,
    'media_cache_miss',
    /not in the cache/,
  );
});

test('usage counts the tokens of embeddings and shows cached ones', async () => {
  const { usage } = await answer(messagesWith(twoImages, torchPart), twoImages);
  assert.equal(usage.prompt_tokens, twoImages.expected.prompt_tokens);
  assert.ok(usage.prompt_tokens_details.cached_tokens > 0);
});

test('wrong tensors are a 400 that names the part, and the server goes on', async () => {
  const [numRows, width] = item.rows.shape as [number, number];
  const grid = base64(writeTorchSave(gridOf(item)));
  const rows = (count: number, columns: number, type: FileTensor['type'] = 'float32'): string =>
    base64(writeTorchSave({ values: new Float32Array(count * columns), shape: [count, columns], type }));
  const embeds = (image_embeds: unknown, image_grid_thw: unknown = grid): Part => ({
    type: 'image_embeds',
    image_embeds: { image_embeds, image_grid_thw },
  });
  for (const wrong of [
    rows(numRows + 1, width),
    rows(numRows - 1, width),
    rows(numRows, width + 1),
    rows(numRows, width - 1),
    rows(numRows, width, 'int64'),
    rows(0, width),
    base64(writeTorchSave({ values: new Float32Array(numRows * width).fill(NaN), shape: [numRows, width] })),
    'AAAA',
    `${rows(numRows, width).slice(0, -8)}*AAA`,
    ` ${rows(numRows, width)}`,
    `data:application/x-npy,${'a'.repeat(64)}`,
  ]) {
    await refused(embeds(wrong), 400, 'invalid_embedding', /image_embeds/);
  }
  await refused(embeds(rows(numRows, width), null), 400, 'missing_field', /image_grid_thw/);
  await refused(embeds(rows(numRows, width), [1, 2]), 400, 'invalid_embedding', /image_grid_thw/);
  await refused({ type: 'image_embeds', image_embeds: 5 }, 400, 'invalid_embedding', /image_embeds/);
  await refused({ type: 'image_embeds', image_embeds: true }, 400, 'invalid_type', /image_embeds/);
  await refused({ type: 'image_embeds', image_embeds: null }, 400, 'missing_field', /image_embeds/);
  await refused({ type: 'image_embeds', image_embeds: {} }, 400, 'missing_field', /image_embeds/);
  await check(messagesWith(golden, torchPart));
});

test('modalities that the model lacks and servers without the flag refuse embeddings', async () => {
  const audio = { type: 'audio_embeds', audio_embeds: base64(writeTorchSave(rowsOf(item))) };
  await refused(audio, 400, 'unsupported_modality', /audio/);
  const text = /You must set `--enable-mm-embeds` to input `image_embeds`/;
  const { client, model } = closed;
  await assert.rejects(
    client.chat.completions.create({ model, messages: ask(torchPart(item)) as never, max_tokens: 2 }),
    (error: unknown) => error instanceof APIError && error.status === 400 && text.test(error.message),
  );
});

test('parts without a type are told by their keys', async () => {
  const part = torchPart(item);
  delete part.type;
  await check(ask(part));
  assert.deepEqual(Object.keys(asPart(item)), ['type', 'image_embeds']);
});

test('hostile tensors cost one request each, and the server goes on', async () => {
  const { cases } = readJson(join(GOLDENS, 'components', 'torch_save', 'cases.json')) as {
    cases: { name: string; base64: string; expect: string }[];
  };
  const folder = join(GOLDENS, 'components', 'safetensors_hostile', 'files');
  const payloads = [
    ...cases.map((hostile) => hostile.base64),
    ...readdirSync(folder).map((name) => base64(readFileSync(join(folder, name)))),
  ];
  assert.ok(payloads.length > 60);
  for (const payload of payloads) {
    const image_embeds = { image_embeds: payload, image_grid_thw: [1, 4, 4] };
    const response = await fetch(`${service.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: ask({ type: 'image_embeds', image_embeds }), max_tokens: 1 }),
    });
    const { error } = (await response.json()) as { error: { code: string; param: string; message: string } };
    assert.ok(response.status === 400 || response.status === 413, `${response.status} ${error.message}`);
    assert.match(error.code, /^(invalid_embedding|media_too_large|missing_field)$/);
    assert.match(error.message, /image_embeds/);
    assert.match(error.param, /^messages\[0\]\.content\[\d\]\.image_embeds/);
    assert.doesNotMatch(error.message, /\/work|\/tmp|node_modules|at .*\.js/);
  }
  await check(messagesWith(golden, torchPart));
});
