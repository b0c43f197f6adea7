import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { after, before, describe, test } from 'node:test';
import type { RequestResult } from '../../../lib/engine/types.js';
import { SensoriumError, type ErrorCode } from '../../../lib/errors.js';
import { LLM } from '../../../lib/llm.js';
import { FAMILIES, GOLDENS, modelFolderOf, readInt32Tensor, type GoldenCase } from '../support/goldens.js';
import { writeNpy, writeSafetensors, writeTorchSave } from '../support/tensor-files.js';
import {
  asPart,
  caseOf,
  itemsOf,
  mediaCases,
  messagesWith,
  type CaseItem,
  type Part,
} from './embedding-cases.js';

const load = (family: string, options: object = {}): Promise<LLM> =>
  LLM.load({
    model: modelFolderOf(family),
    dtype: 'float32',
    maxModelLen: 4096,
    enableMmEmbeds: true,
    mediaPolicy: { allowedLocalMediaPath: GOLDENS },
    ...options,
  });

const optionsOf = ({ request }: GoldenCase): object => ({
  temperature: 0,
  maxTokens: request.max_tokens,
  repetitionPenalty: request.repetition_penalty,
});

const rawPart = ({ folder }: GoldenCase, part: Part): Part =>
  JSON.parse(JSON.stringify(part).replaceAll('"file:', `"${pathToFileURL(folder).href}/`)) as Part;

async function check(llm: LLM, golden: GoldenCase, messages: any[]): Promise<void> {
  const { promptTokenIds, outputs, usage } = await llm.chat(messages, optionsOf(golden));
  assert.deepEqual(promptTokenIds, readInt32Tensor(golden, 'input_ids'), golden.name);
  assert.deepEqual(outputs[0]!.tokenIds, golden.expected.generated_ids, golden.name);
  assert.equal(usage.promptTokens, golden.expected.prompt_tokens);
  const sum = (list: { tokens?: number }[] = []): number =>
    list.reduce((total, { tokens = 0 }) => total + tokens, 0);
  const { images, videos, audios } = golden.expected;
  assert.deepEqual(
    [usage.imageTokens, usage.videoTokens, usage.audioTokens],
    [sum(images), sum(videos), sum(audios)],
  );
}

const hasCode =
  (code: ErrorCode, text: RegExp = /./) =>
  (error: unknown): boolean =>
    error instanceof SensoriumError && error.code === code && text.test(error.message);

for (const family of FAMILIES.filter((name) => name !== 'qwen2')) {
  describe(`${family}: rows in place of media`, () => {
    let llm: LLM;
    before(async () => (llm = await load(family)));
    after(() => llm.close());

    for (const golden of mediaCases(family)) {
      test(`${golden.name} gives the tokens of the raw media`, () =>
        check(llm, golden, messagesWith(golden, asPart)));
    }
  });
}

describe('embeddings in process', () => {
  const golden = caseOf('qwen2_vl', 'two_images_interleaved');
  const single = caseOf('qwen2_vl', 'img_basic');
  const [item] = itemsOf(single) as [CaseItem];
  const width = item.rows.shape[1]!;
  let llm: LLM;
  before(async () => (llm = await load('qwen2_vl')));
  after(() => llm.close());

  const asked = (embeds: unknown, uuid?: string): any[] =>
    messagesWith(single, () => ({ type: 'image_embeds', image_embeds: embeds, uuid }));
  const refuses = async (embeds: unknown, code: ErrorCode, text?: RegExp): Promise<void> => {
    await assert.rejects(llm.chat(asked(embeds), { maxTokens: 2 }), hasCode(code, text));
  };

  test('raw media and rows of one modality stand in one request', async () => {
    const mixed = messagesWith(golden, (entry, index, part) =>
      index === 0 ? asPart(entry) : rawPart(golden, part),
    );
    await check(llm, golden, mixed);
    const turned = messagesWith(golden, (entry, index, part) =>
      index === 1 ? asPart(entry) : rawPart(golden, part),
    );
    await check(llm, golden, turned);
  });

  test('files of torch, numpy and safetensors, as bytes and as base64', async () => {
    const rows = { values: item.rows.data, shape: item.rows.shape };
    const batched = { ...rows, shape: [1, ...rows.shape] };
    const grid = { values: item.extras.image_grid_thw!.data, shape: [1, 3], type: 'int64' as const };
    const forms: unknown[] = [
      { image_embeds: writeTorchSave(rows), image_grid_thw: writeTorchSave(grid) },
      { image_embeds: writeTorchSave(batched).toString('base64'), image_grid_thw: [...grid.values] },
      { image_embeds: writeNpy(batched), image_grid_thw: writeNpy(grid).toString('base64') },
      { image_embeds: writeNpy({ ...rows, type: 'float64' }), image_grid_thw: [[...grid.values]] },
      writeSafetensors({ anything: rows, image_grid_thw: grid }),
      writeSafetensors({ image_embeds: rows, image_grid_thw: grid }).toString('base64'),
      {
        embeddings: `data:application/x-npy;base64,${writeNpy(rows).toString('base64')}`,
        image_grid_thw: { data: [...grid.values], shape: [3] },
      },
    ];
    for (const embeds of forms) await check(llm, single, asked(embeds));
  });

  test('halves are close to what they stand for', async () => {
    const grid = item.extras.image_grid_thw!;
    for (const type of ['bfloat16', 'float16'] as const) {
      const file = writeTorchSave({ values: item.rows.data, shape: item.rows.shape, type });
      const { usage } = await llm.chat(asked({ image_embeds: file, image_grid_thw: grid }), { maxTokens: 4 });
      assert.equal(usage.promptTokens, single.expected.prompt_tokens);
    }
  });

  test('wrong shapes, types and values are refused before the engine, and the next request is right', async () => {
    const { data, shape } = item.rows;
    const [numRows] = shape as [number];
    const [t, h, w] = [...item.extras.image_grid_thw!.data] as [number, number, number];
    const grid = { data: [t, h, w], shape: [3] };
    const rowsOf = (count: number, columns: number): object => ({
      data: new Float32Array(count * columns),
      shape: [count, columns],
    });
    const withValue = (value: number): object => {
      const copy = data.slice();
      copy[copy.length - 1] = value;
      return { data: copy, shape };
    };
    const bad: [rows: unknown, grid: unknown, text: RegExp][] = [
      [rowsOf(numRows, width - 1), grid, /image_embeds/],
      [rowsOf(numRows, width + 1), grid, /image_embeds/],
      [rowsOf(numRows - 1, width), grid, /image_embeds/],
      [rowsOf(numRows + 1, width), grid, /image_embeds/],
      [rowsOf(0, width), grid, /image_embeds/],
      [rowsOf(numRows, 0), grid, /image_embeds/],
      [{ data, shape: [data.length] }, grid, /image_embeds/],
      [{ data, shape: [1, 1, ...shape] }, grid, /image_embeds/],
      [{ data, shape: [shape[1], shape[0]] }, grid, /image_embeds/],
      [{ data: new Float32Array(2 * data.length), shape: [2, ...shape] }, grid, /image_embeds/],
      [{ data, shape: [2 ** 31, width] }, grid, /image_embeds/],
      [{ data: new Int32Array(data.length), shape }, grid, /image_embeds/],
      [withValue(NaN), grid, /NaN/],
      [withValue(Infinity), grid, /infinite/],
      [withValue(-Infinity), grid, /infinite/],
      [item.rows, { data: [t, h, w + 2], shape: [3] }, /image_grid_thw/],
      [item.rows, { data: [t, h + 1, w], shape: [3] }, /image_grid_thw/],
      [item.rows, { data: [t + 1, h, w], shape: [3] }, /image_grid_thw/],
      [item.rows, { data: [t, -h, -w], shape: [3] }, /image_grid_thw/],
      [item.rows, { data: [0, h, w], shape: [3] }, /image_grid_thw/],
      [item.rows, { data: [t, h], shape: [2] }, /image_grid_thw/],
      [item.rows, { data: [t, h, w, 1], shape: [4] }, /image_grid_thw/],
      [item.rows, { data: [t, h, w, t, h, w], shape: [2, 3] }, /image_grid_thw/],
      [item.rows, { data: [t, h, w], shape: [3, 1] }, /image_grid_thw/],
      [item.rows, { data: [t, h, w + 0.5], shape: [3] }, /image_grid_thw/],
      [item.rows, { data: Float32Array.of(t, h, w), shape: [3] }, /image_grid_thw/],
      [item.rows, { data: BigInt64Array.of(2n ** 62n, BigInt(h), BigInt(w)), shape: [3] }, /image_grid_thw/],
      [item.rows, { data: [2 ** 31, 2 ** 31, 2 ** 31], shape: [3] }, /image_grid_thw/],
      [Buffer.from('not a tensor'), grid, /image_embeds/],
      ['*not base64*', grid, /image_embeds/],
      [item.rows, 'AAAA', /image_grid_thw/],
    ];
    for (const [image_embeds, image_grid_thw, text] of bad) {
      await refuses({ image_embeds, image_grid_thw }, 'invalid_embedding', text);
    }
    await refuses({ image_embeds: item.rows }, 'missing_field', /image_grid_thw/);
    await refuses({ image_grid_thw: grid }, 'missing_field', /image_embeds/);
    await refuses(item.rows, 'missing_field', /image_grid_thw/);
    await refuses({ image_embeds: true, image_grid_thw: grid }, 'invalid_type', /image_embeds/);
    await refuses({ image_embeds: [[1, 2], [3]], image_grid_thw: grid }, 'invalid_embedding', /image_embeds/);
    await check(llm, single, messagesWith(single, asPart));
  });

  test('the largest finite values harm nobody else', async () => {
    const grid = item.extras.image_grid_thw!;
    const extreme = {
      data: item.rows.data.map((_, i) => (i % 2 ? 3.4e38 : -3.4e38)),
      shape: item.rows.shape,
    };
    const message = asked({ image_embeds: extreme, image_grid_thw: grid });
    const neighbour = check(llm, single, messagesWith(single, asPart));
    await llm.chat(message, { maxTokens: 8, temperature: 0 }).catch((error: unknown) => {
      assert.ok(error instanceof SensoriumError);
    });
    await neighbour;
    await check(llm, single, messagesWith(single, asPart));
    await check(llm, golden, messagesWith(golden, asPart));
  });

  test('a tensor larger than the limit is refused', async () => {
    const small = await load('qwen2_vl', {
      mediaPolicy: { maxEmbeddingBytes: item.rows.data.byteLength - 1 },
    });
    try {
      await assert.rejects(
        small.chat(messagesWith(single, asPart), { maxTokens: 2 }),
        hasCode('media_too_large', /image_embeds/),
      );
    } finally {
      await small.close();
    }
  });

  test('without the option every form is refused, and cached items by uuid still count as pictures', async () => {
    const off = await load('qwen2_vl', { enableMmEmbeds: false });
    try {
      await assert.rejects(off.chat(messagesWith(single, asPart), { maxTokens: 2 }), (error: unknown) => {
        assert.ok(error instanceof SensoriumError);
        assert.equal(error.status, 400);
        assert.match(error.message, /You must set `--enable-mm-embeds` to input `image_embeds`/);
        return true;
      });
      await assert.rejects(
        off.generate({ prompt: 'x', multiModalData: { image: item.rows } }, { maxTokens: 2 }),
        /enable-mm-embeds/,
      );
    } finally {
      await off.close();
    }
  });

  test('a limit of 0 beside the option leaves only embeddings', async () => {
    const only = await load('qwen2_vl', { limitMmPerPrompt: { image: 0 } });
    try {
      await check(only, golden, messagesWith(golden, asPart));
      const raw = messagesWith(golden, (_, __, part) => rawPart(golden, part));
      await assert.rejects(only.chat(raw, { maxTokens: 2 }), hasCode('too_many_media', /At most 0 image/));
    } finally {
      await only.close();
    }
  });
});

describe('embeddings in the caches', () => {
  const single = caseOf('qwen2_vl', 'img_basic');
  let llm: LLM;
  before(async () => (llm = await load('qwen2_vl')));
  after(() => llm.close());

  const withUuid = (part: Part, uuid: string): any[] => messagesWith(single, () => ({ ...part, uuid }));
  const rawOf = (): Part => {
    let raw: Part = {};
    messagesWith(single, (_, __, part) => (raw = rawPart(single, part)));
    return raw;
  };

  test('rows first, then every form of the same uuid without data', async () => {
    await check(llm, single, withUuid(asPart(itemsOf(single)[0]!), 'rows-first'));
    for (const type of ['image_embeds', 'image_url', 'image']) {
      await check(llm, single, withUuid({ type, [type]: null }, 'rows-first'));
    }
  });

  test('a raw picture first, then rows of the same uuid without data', async () => {
    await check(llm, single, withUuid(rawOf(), 'raw-first'));
    await check(llm, single, withUuid({ type: 'image_embeds', image_embeds: null }, 'raw-first'));
  });

  test('rows of a known uuid are not looked at again', async () => {
    await check(llm, single, withUuid(asPart(itemsOf(single)[0]!), 'known'));
    const damaged = { type: 'image_embeds', image_embeds: { image_embeds: 'AAAA', image_grid_thw: 'AAAA' } };
    await check(llm, single, withUuid(damaged, 'known'));
  });

  test('an unknown uuid without data names itself, and a resend works', async () => {
    const absent = withUuid({ type: 'image_embeds', image_embeds: null }, 'absent');
    await assert.rejects(llm.chat(absent, { maxTokens: 2 }), (error: unknown) => {
      assert.ok(hasCode('media_cache_miss')(error));
      assert.deepEqual((error as SensoriumError).details, { index: 0, uuid: 'absent' });
      return true;
    });
    await check(llm, single, withUuid(asPart(itemsOf(single)[0]!), 'absent'));
    await check(llm, single, absent);
  });

  test('equal content is kept once and its prompt is a prefix hit; other content is not mixed up', async () => {
    const [item] = itemsOf(single) as [CaseItem];
    const messages = (rows: CaseItem['rows']): any[] => messagesWith(single, () => asPart({ ...item, rows }));
    await llm.chat(messages(item.rows), { maxTokens: 1 });
    const again = await llm.chat(messages({ data: item.rows.data.slice(), shape: item.rows.shape }), {
      maxTokens: 1,
    });
    assert.equal(again.usage.cachedMedia, 1);
    assert.ok(again.usage.cachedTokens > 0);
    const other = item.rows.data.slice();
    other[0]! += 1;
    const different = await llm.chat(messages({ data: other, shape: item.rows.shape }), { maxTokens: 1 });
    assert.equal(different.usage.cachedMedia, 0);
  });

  test('what the caller does to its array afterwards changes nothing', async () => {
    const [item] = itemsOf(single) as [CaseItem];
    const rows = { data: item.rows.data.slice(), shape: item.rows.shape };
    const part = { ...asPart({ ...item, rows }), uuid: 'mutated' };
    await check(
      llm,
      single,
      messagesWith(single, () => part),
    );
    rows.data.fill(7);
    await check(
      llm,
      single,
      messagesWith(single, () => part),
    );
  });
});

describe('embeddings of a prompt', () => {
  const golden = caseOf('qwen2_vl', 'two_images_interleaved');
  const items = itemsOf(golden);
  const prompt = readInt32Tensor(golden, 'input_ids').filter((id, i, ids) => id !== ids[i - 1] || id !== 504);
  let llm: LLM;
  before(async () => (llm = await load('qwen2_vl')));
  after(() => llm.close());

  const answers = async (image: unknown): Promise<number[]> => {
    const result = await llm.generate(
      { prompt, multiModalData: { image: image as never } },
      optionsOf(golden),
    );
    assert.deepEqual(result.promptTokenIds, readInt32Tensor(golden, 'input_ids'));
    return [...result.outputs[0]!.tokenIds];
  };
  const grids = {
    data: Int32Array.from(items.flatMap(({ extras }) => [...extras.image_grid_thw!.data])),
    shape: [2, 3],
  };
  const flat = (): Float32Array => {
    const data = new Float32Array(items[0]!.rows.data.length + items[1]!.rows.data.length);
    data.set(items[0]!.rows.data);
    data.set(items[1]!.rows.data, items[0]!.rows.data.length);
    return data;
  };
  const numRows = (): number => items[0]!.rows.shape[0]! + items[1]!.rows.shape[0]!;

  test('a list of items, each with its grid', async () => {
    const list = items.map(({ rows, extras }) => ({ image_embeds: rows, ...extras }));
    assert.deepEqual(await answers(list), golden.expected.generated_ids);
  });

  test('a list of safetensors files, each of rows and their grid', async () => {
    const files = items.map(({ rows, extras }) => {
      const grid = { values: [...extras.image_grid_thw!.data], shape: [1, 3], type: 'int64' as const };
      return writeSafetensors({ rows: { values: rows.data, shape: rows.shape }, image_grid_thw: grid });
    });
    assert.deepEqual(await answers(files), golden.expected.generated_ids);
  });

  test('tensors that hold one entry for each item', async () => {
    const width = items[0]!.rows.shape[1]!;
    const lists = { image_embeds: items.map(({ rows }) => rows), image_grid_thw: grids };
    const joined = { image_embeds: { data: flat(), shape: [numRows(), width] }, image_grid_thw: grids };
    const files = {
      image_embeds: writeNpy({ values: flat(), shape: [numRows(), width] }),
      image_grid_thw: [...items.map(({ extras }) => [...extras.image_grid_thw!.data])],
    };
    for (const image of [lists, joined, files]) {
      assert.deepEqual(await answers(image), golden.expected.generated_ids);
    }
  });

  test('a tensor of three dimensions is as many items', async () => {
    const twice = caseOf('qwen2_vl', 'img_basic');
    const [item] = itemsOf(twice) as [CaseItem];
    const [t, h, w] = [...item.extras.image_grid_thw!.data] as [number, number, number];
    const data = new Float32Array(2 * item.rows.data.length);
    data.set(item.rows.data);
    data.set(item.rows.data, item.rows.data.length);
    const shape = [2, ...item.rows.shape];
    const separate = [item, item].map(({ rows, extras }) => ({ image_embeds: rows, ...extras }));
    const forms = [
      {
        image_embeds: { data, shape },
        image_grid_thw: [
          [t, h, w],
          [t, h, w],
        ],
      },
      {
        image_embeds: writeTorchSave({ values: data, shape }),
        image_grid_thw: writeTorchSave({ values: [t, h, w, t, h, w], shape: [2, 3], type: 'int64' }),
      },
    ];
    const run = async (image: unknown): Promise<readonly number[]> =>
      (
        await llm.generate(
          { prompt, multiModalData: { image: image as never } },
          { maxTokens: 8, temperature: 0 },
        )
      ).outputs[0]!.tokenIds;
    const expected = await run(separate);
    for (const image of forms) assert.deepEqual(await run(image), expected);
  });

  test('sounds: a tensor of three dimensions, a list of two, and samples of several channels', async () => {
    const sounds = caseOf('qwen2_5_omni', 'two_audios');
    const [first, second] = itemsOf(sounds) as [CaseItem, CaseItem];
    const omni = await load('qwen2_5_omni');
    const audioId = 497;
    const spelled = readInt32Tensor(sounds, 'input_ids');
    const ids = spelled.filter((id, i) => id !== spelled[i - 1] || id !== audioId);
    const ask = (audio: unknown, tokens: number[]): Promise<RequestResult> =>
      omni.generate({ prompt: tokens, multiModalData: { audio: audio as never } }, optionsOf(sounds));
    try {
      const { promptTokenIds, outputs } = await ask([first.rows, second.rows], ids);
      assert.deepEqual(promptTokenIds, spelled);
      assert.deepEqual(outputs[0]!.tokenIds, sounds.expected.generated_ids);
      const one = [...ids.slice(0, ids.indexOf(audioId) + 1), ...ids.slice(-3)];
      const batch = { data: first.rows.data, shape: [1, ...first.rows.shape] };
      const named = { audio_embeds: first.rows, audio_feature_lengths: [4 * first.rows.shape[0]!] };
      assert.equal((await ask(batch, one)).usage.audioTokens, first.rows.shape[0]);
      assert.equal((await ask(named, one)).usage.audioTokens, first.rows.shape[0]);
      const wrong = { audio_embeds: first.rows, audio_feature_lengths: [4 * first.rows.shape[0]! + 4] };
      await assert.rejects(ask(wrong, one), hasCode('invalid_embedding', /audio_feature_lengths/));
      const stereo = { data: new Float32Array(2 * 16_000), shape: [2, 16_000], samplingRate: 16_000 };
      assert.equal((await ask(stereo, one)).usage.audioTokens, 25);
    } finally {
      await omni.close();
    }
  });

  test('uuids stand for rows as for pictures', async () => {
    const list = items.map(({ rows, extras }) => ({ image_embeds: rows, ...extras }));
    const options = optionsOf(golden);
    const multiModalUuids = { image: ['one', 'two'] };
    await llm.generate({ prompt, multiModalData: { image: list }, multiModalUuids }, options);
    const { outputs } = await llm.generate(
      { prompt, multiModalData: { image: [null, null] }, multiModalUuids },
      options,
    );
    assert.deepEqual(outputs[0]!.tokenIds, golden.expected.generated_ids);
  });

  test('counts that do not agree are refused', async () => {
    const rows = items.map((entry) => entry.rows);
    const one = { data: grids.data.slice(0, 3), shape: [1, 3] };
    for (const image of [
      { image_embeds: rows, image_grid_thw: one },
      {
        image_embeds: { data: flat(), shape: [numRows(), items[0]!.rows.shape[1]!] },
        image_grid_thw: { ...grids, data: grids.data.map((size, i) => (i === 0 ? 7 : size)) },
      },
    ]) {
      await assert.rejects(answers(image), hasCode('invalid_embedding', /multiModalData\.image/));
    }
  });
});
