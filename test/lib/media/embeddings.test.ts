import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ProcessedItemCache } from '../../../lib/media/cache.js';
import {
  decodeTensors,
  hashTensors,
  loadTensors,
  type LoadedTensors,
} from '../../../lib/media/embeddings.js';
import type { KeyedItem } from '../../../lib/processors/types.js';
import { MediaResolver } from '../../../lib/media/resolver.js';
import type { DenseTensor, MediaPart, TensorSource } from '../../../lib/media/types.js';
import {
  pickleTensor,
  writeNpy,
  writeSafetensors,
  writeTorchSave,
  writeZip,
} from '../support/tensor-files.js';
import { contextWith, policyWith } from './support/context.js';
import { rejectsWith } from './support/errors.js';
import { createFakeProcessor, fakeItem } from './support/fake-processor.js';

const ROWS = { values: [1, 2, 3, 4, 5, 6], shape: [2, 3] };
const GRID = { values: [1, 2, 4], shape: [1, 3], type: 'int64' as const };
const MIB = 1024 * 1024;
const signal = new AbortController().signal;

const file = (bytes: Buffer): TensorSource => ({ kind: 'file', bytes });
const text = (bytes: Buffer): TensorSource => ({ kind: 'base64', text: bytes.toString('base64') });
const array = (data: Float32Array, shape: number[]): TensorSource => ({
  kind: 'array',
  array: { data, shape },
});

const load = (tensors: Record<string, TensorSource>, maxBytes = MIB): Promise<LoadedTensors> =>
  loadTensors(tensors, { modality: 'image', maxBytes, reserve: () => Promise.resolve(), signal });
const decode = async (
  tensors: Record<string, TensorSource>,
  maxEmbeddingBytes = MIB,
): Promise<Record<string, DenseTensor>> =>
  decodeTensors(await load(tensors), 'image', contextWith({ maxEmbeddingBytes }));

describe('tensors of an item', () => {
  test('each may be of another kind', async () => {
    const tensors = await decode({
      embeddings: text(writeTorchSave(ROWS)),
      image_grid_thw: file(writeNpy(GRID)),
    });
    assert.deepEqual(tensors.embeddings, {
      data: Float32Array.from(ROWS.values),
      shape: [2, 3],
      isInteger: false,
    });
    assert.deepEqual([...tensors.image_grid_thw!.data], GRID.values);
    assert.equal(tensors.image_grid_thw!.isInteger, true);
  });

  test('plain numbers are floats as rows and integers beside them', async () => {
    const tensors = await decode({
      embeddings: { kind: 'array', array: { data: [0, 0, 1, 1], shape: [2, 2] } },
      image_grid_thw: { kind: 'array', array: { data: [1, 2, 4], shape: [3] } },
    });
    assert.deepEqual([tensors.embeddings!.isInteger, tensors.image_grid_thw!.isInteger], [false, true]);
  });

  test('a safetensors file holds rows of any name beside named extras', async () => {
    for (const name of ['embeddings', 'image_embeds', 'anything at all', '__proto__']) {
      const bytes = writeSafetensors(
        Object.fromEntries([
          [name, ROWS],
          ['image_grid_thw', GRID],
        ]),
      );
      const tensors = await decode({ embeddings: file(bytes) });
      assert.deepEqual(Object.keys(tensors), ['embeddings', 'image_grid_thw'], name);
      assert.deepEqual(tensors.embeddings!.shape, [2, 3]);
    }
  });

  test('a tensor of its own goes before that of the file of the rows', async () => {
    const bytes = writeSafetensors({ rows: ROWS, image_grid_thw: GRID });
    const own = writeNpy({ ...GRID, values: [1, 4, 2] });
    const tensors = await decode({ image_grid_thw: file(own), embeddings: file(bytes) });
    assert.deepEqual([...tensors.image_grid_thw!.data], [1, 4, 2]);
  });

  test('files without rows or with several are refused', async () => {
    for (const tensors of [{ a: ROWS, b: ROWS }, { image_grid_thw: GRID }, {}]) {
      const error = await rejectsWith(
        decode({ embeddings: file(writeSafetensors(tensors)) }),
        'invalid_embedding',
      );
      assert.match(error.message, /^The file of image_embeds must hold one tensor/);
    }
    const extra = file(writeSafetensors({ a: GRID, b: GRID }));
    const rows = file(writeNpy(ROWS));
    await rejectsWith(decode({ embeddings: rows, image_grid_thw: extra }), 'invalid_embedding');
  });

  test('errors name the tensor as the client does', async () => {
    const damaged = { kind: 'base64' as const, text: 'AAAA' };
    const rows = file(writeNpy(ROWS));
    const first = await rejectsWith(decode({ embeddings: damaged }), 'invalid_embedding');
    assert.match(first.message, /^image_embeds is no file/);
    const second = await rejectsWith(
      decode({ embeddings: rows, image_grid_thw: damaged }),
      'invalid_embedding',
    );
    assert.match(second.message, /^image_grid_thw is no file/);
  });

  test('base64 is strict, in data URLs too', async () => {
    const good = writeNpy(ROWS).toString('base64');
    for (const mime of ['application/x-npy', 'application/octet-stream', '']) {
      const url: TensorSource = { kind: 'base64', text: `data:${mime};base64,${good}` };
      assert.deepEqual((await decode({ embeddings: url })).embeddings!.shape, [2, 3]);
    }
    const bad = [
      ` ${good}`,
      `${good}\n`,
      good.replace('A', '*'),
      good.replace('A', '-'),
      good.slice(0, -1),
      good.slice(0, -2),
      good.slice(0, -3),
      `${good.slice(0, 8)}%41${good.slice(9)}`,
      `data:application/x-npy,${good}`,
      'data:application/x-npy;base64',
      '\u0000',
    ];
    for (const payload of bad) {
      const source: TensorSource = { kind: 'base64', text: payload };
      await assert.rejects(decode({ embeddings: source }), /image_embeds|data URL/, payload.slice(0, 30));
    }
  });

  test('memory is asked for before it is taken, and within the limit', async () => {
    const bytes = writeNpy(ROWS);
    const reserved: number[] = [];
    const reserve = (numBytes: number): Promise<void> => {
      reserved.push(numBytes);
      return Promise.resolve();
    };
    const tensors = { embeddings: text(bytes), other: file(bytes) };
    await loadTensors(tensors, { modality: 'image', maxBytes: MIB, reserve, signal });
    assert.deepEqual(reserved, [2 * bytes.length]);
    for (const source of [text(bytes), file(bytes), array(new Float32Array(64), [64])]) {
      await rejectsWith(load({ embeddings: source }, 100), 'media_too_large');
    }
    const half = Math.ceil(bytes.length * 1.5);
    await rejectsWith(load({ embeddings: text(bytes), other: file(bytes) }, half), 'media_too_large');
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`t${i}`, file(bytes)]));
    await rejectsWith(load(many), 'invalid_embedding');
  });

  test('a few bytes cannot become many', async () => {
    const pickle = pickleTensor('FloatStorage', 1, 0, [2 ** 15, 2 ** 15], [0, 0]);
    const bomb = writeZip([
      ['a/data.pkl', pickle],
      ['a/data/0', Buffer.alloc(4)],
    ]);
    const context = contextWith();
    const error = await rejectsWith(
      decodeTensors(await load({ embeddings: file(bomb) }), 'image', context),
      'media_too_large',
    );
    assert.match(error.message, /^image_embeds is larger than the limit of 268435456 bytes/);
    assert.deepEqual(context.reserved, []);
  });
});

describe('names of embeddings by their content', () => {
  const nameOf = async (tensors: Record<string, TensorSource>): Promise<string> =>
    hashTensors(await load(tensors), signal);

  test('equal content has one name, whatever the order of its tensors', async () => {
    const grid = file(writeNpy(GRID));
    const rows = (): TensorSource => array(Float32Array.from(ROWS.values), [2, 3]);
    const name = await nameOf({ embeddings: rows(), image_grid_thw: grid });
    assert.equal(await nameOf({ image_grid_thw: grid, embeddings: rows() }), name);
  });

  test('types, shapes, values, names and cuts are part of it', async () => {
    const data = Float32Array.from(ROWS.values);
    const bits = new Uint16Array(6);
    const bytes = writeNpy({ ...ROWS, shape: [2, 1, 3] });
    const sources: Record<string, TensorSource>[] = [
      { embeddings: array(data, [2, 3]) },
      { embeddings: array(data, [3, 2]) },
      { embeddings: array(data, [6]) },
      {
        embeddings: array(
          data.map((value) => -value),
          [2, 3],
        ),
      },
      { embeddings: { kind: 'array', array: { data: bits, shape: [6], dtype: 'float16' } } },
      { embeddings: { kind: 'array', array: { data: bits, shape: [6], dtype: 'bfloat16' } } },
      { embeddings: { kind: 'array', array: { data: new Int32Array(3), shape: [3] } } },
      { embeddings: { kind: 'array', array: { data: new Float32Array(3), shape: [3] } } },
      { other: array(data, [2, 3]) },
      { embeddings: array(data, [2, 3]), image_grid_thw: array(data, [2, 3]) },
      { embeddings: file(bytes) },
      { embeddings: { kind: 'file', bytes, slice: { start: 0, count: 1 } } },
      { embeddings: { kind: 'file', bytes, slice: { start: 1, count: 1 } } },
    ];
    const names = new Set(await Promise.all(sources.map(nameOf)));
    assert.equal(names.size, sources.length);
  });

  test('plain numbers are named as what they are taken for', async () => {
    const typed = await nameOf({ embeddings: array(Float32Array.from(ROWS.values), [2, 3]) });
    const list = [ROWS.values.slice(0, 3), ROWS.values.slice(3)];
    assert.equal(await nameOf({ embeddings: { kind: 'list', numbers: { list, shape: [2, 3] } } }), typed);
    const plain = { data: [...ROWS.values], shape: [2, 3] };
    assert.equal(await nameOf({ embeddings: { kind: 'array', array: plain } }), typed);
  });
});

describe('embeddings in the cache', () => {
  const create = (): {
    resolve: (changes: Partial<MediaPart>, tenant?: string) => Promise<KeyedItem[]>;
    decoded: string[];
  } => {
    const decoded: string[] = [];
    const processor = createFakeProcessor();
    processor.processEmbeddings = (modality, tensors) => {
      decoded.push(tensors.embeddings!.shape.join('x'));
      return fakeItem(modality, 100);
    };
    const cache = new ProcessedItemCache(1000);
    const resolver = new MediaResolver({ policy: policyWith(), processor, cache, modelId: 'm' });
    const resolve = (changes: Partial<MediaPart>, tenant = 't'): Promise<KeyedItem[]> =>
      resolver.withItems([{ modality: 'image', param: 'p', ...changes }], {}, { tenant }, (items) => items);
    return { resolve, decoded };
  };
  const rows = { kind: 'embeddings' as const, tensors: { embeddings: text(writeNpy(ROWS)) } };
  const broken = {
    kind: 'embeddings' as const,
    tensors: { embeddings: { kind: 'base64' as const, text: '*' } },
  };

  test('a known uuid is not decoded again, whatever comes with it', async () => {
    const { resolve, decoded } = create();
    const [first] = await resolve({ uuid: 'u', source: rows });
    const [again] = await resolve({ uuid: 'u', source: broken });
    const [without] = await resolve({ uuid: 'u' });
    assert.deepEqual([again!.key, without!.key], [first!.key, first!.key]);
    assert.deepEqual(decoded, ['2x3']);
    await rejectsWith(resolve({ uuid: 'u' }, 'other'), 'media_cache_miss');
    await rejectsWith(resolve({ uuid: 'u', modality: 'video' }), 'media_cache_miss');
  });

  test('equal content is decoded once, other content by itself', async () => {
    const { resolve, decoded } = create();
    const other = {
      kind: 'embeddings' as const,
      tensors: { embeddings: text(writeNpy({ ...ROWS, shape: [3, 2] })) },
    };
    for (const source of [rows, rows, other]) await resolve({ source });
    assert.deepEqual(decoded, ['2x3', '3x2']);
  });

  test('a failure is not kept', async () => {
    const { resolve } = create();
    const failed = resolve({ uuid: 'u', source: broken });
    assert.equal((await rejectsWith(failed, 'invalid_embedding')).param, 'p');
    await resolve({ uuid: 'u', source: rows });
  });
});
