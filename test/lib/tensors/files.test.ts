import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  parseTensorFile,
  sliceView,
  toDense,
  viewOfArray,
  type TensorView,
} from '../../../lib/tensors/index.js';
import { parseNpy } from '../../../lib/tensors/npy.js';
import { parseSafetensors } from '../../../lib/tensors/safetensors.js';
import { throwsWith } from '../media/support/errors.js';
import { GOLDENS, readJson } from '../support/goldens.js';
import { packValues, writeNpy, writeSafetensors } from '../support/tensor-files.js';

const VALUES = [1, -2, 0.5, 4, 5, 6];

test('npy files of every type, byte order and memory order are read', async () => {
  for (const type of ['float64', 'float32', 'float16'] as const) {
    for (const isLittle of [true, false]) {
      const { data, shape } = await toDense(
        parseNpy(writeNpy({ values: VALUES, shape: [2, 3], type }, isLittle)),
      );
      assert.deepEqual([...data], VALUES, `${type} ${isLittle}`);
      assert.deepEqual(shape, [2, 3]);
    }
  }
  const fortran = parseNpy(writeNpy({ values: [1, 4, 2, 5, 3, 6], shape: [2, 3] }, true, true));
  assert.deepEqual([...(await toDense(fortran)).data], [1, 2, 3, 4, 5, 6]);
  const grid = await toDense(parseNpy(writeNpy({ values: [1, 8, 8], shape: [3], type: 'int64' })));
  assert.deepEqual(grid, { data: Float64Array.of(1, 8, 8), shape: [3], isInteger: true });
});

test('npy files of other versions are read; objects, records and damaged ones are refused', () => {
  const file = writeNpy({ values: VALUES, shape: [6] });
  const header = file.subarray(10, 128).toString('latin1');
  const withHeader = (text: string, version = 1): Buffer => {
    const start = Buffer.from(`\x93NUMPY${String.fromCharCode(version)}\0`, 'latin1');
    const length = Buffer.alloc(version === 1 ? 2 : 4);
    if (version === 1) length.writeUInt16LE(text.length);
    else length.writeUInt32LE(text.length);
    return Buffer.concat([start, length, Buffer.from(text, 'latin1'), file.subarray(128)]);
  };
  for (const version of [1, 2, 3]) assert.deepEqual(parseNpy(withHeader(header, version)).shape, [6]);
  const spread = "{'shape':(6,),'fortran_order':False,'descr':'<f4'}";
  assert.deepEqual(parseNpy(withHeader(spread)).shape, [6]);
  const bad = [
    header.replace('<f4', '|O'),
    header.replace('<f4', '<U4'),
    header.replace('<f4', '<c8'),
    header.replace("'<f4'", "[('a', '<f4')]"),
    header.replace('(6,)', '(7,)'),
    header.replace('(6,)', '(-6,)'),
    header.replace('(6,)', '(9999999999999999, 9999999999999999, 0)'),
    header.replace('(6,)', '6'),
    header.replace(', }', ", 'more': 1}"),
    header.replace('}', ''),
    '',
  ];
  for (const text of bad) throwsWith(() => parseNpy(withHeader(text)), 'invalid_embedding');
  throwsWith(() => parseNpy(withHeader(header, 9)), 'invalid_embedding');
  for (let length = 6; length < file.length; length += 7) {
    throwsWith(() => parseNpy(file.subarray(0, length)), 'invalid_embedding');
  }
  throwsWith(() => parseNpy(Buffer.concat([file, Buffer.alloc(4)])), 'invalid_embedding');
});

test('safetensors give their tensors by name', async () => {
  const file = writeSafetensors({
    rows: { values: VALUES, shape: [2, 3], type: 'bfloat16' },
    image_grid_thw: { values: [1, 2, 4], shape: [3], type: 'int64' },
  });
  const tensors = parseTensorFile(file) as Map<string, TensorView>;
  assert.deepEqual([...tensors.keys()], ['rows', 'image_grid_thw']);
  assert.deepEqual([...(await toDense(tensors.get('rows')!)).data], VALUES);
  assert.deepEqual([...(await toDense(tensors.get('image_grid_thw')!)).data], [1, 2, 4]);
});

test('hostile safetensors are refused', () => {
  const folder = join(GOLDENS, 'components', 'safetensors_hostile');
  const { cases } = readJson(join(folder, 'cases.json')) as {
    cases: { name: string; file: string; expect: string }[];
  };
  const refused = cases.filter(({ file, expect }) => expect === 'reject' && existsSync(join(folder, file)));
  assert.ok(refused.length >= 25);
  for (const { name, file } of refused) {
    assert.throws(
      () => parseTensorFile(readFileSync(join(folder, file))),
      { code: 'invalid_embedding' },
      name,
    );
  }
  for (const { file } of cases.filter(({ expect }) => expect === 'either')) {
    try {
      parseSafetensors(readFileSync(join(folder, file)));
    } catch (error) {
      assert.equal((error as { code?: string }).code, 'invalid_embedding');
    }
  }
});

test('numbers in memory are read with the type that they have or are given', async () => {
  const read = async (array: Parameters<typeof viewOfArray>[0]): Promise<number[]> => [
    ...(await toDense(viewOfArray(array))).data,
  ];
  const shape = [2, 3];
  assert.deepEqual(await read({ data: Float32Array.from(VALUES), shape }), VALUES);
  assert.deepEqual(await read({ data: Float64Array.from(VALUES), shape }), VALUES);
  for (const type of ['float16', 'bfloat16'] as const) {
    const packed = packValues(VALUES, type);
    const data = new Uint16Array(packed.buffer.slice(packed.byteOffset, packed.byteOffset + packed.length));
    assert.deepEqual(await read({ data, shape, dtype: type }), VALUES, type);
  }
  const isInteger = (array: Parameters<typeof viewOfArray>[0]): Promise<boolean> =>
    toDense(viewOfArray(array)).then((dense) => dense.isInteger);
  assert.equal(await isInteger({ data: Int32Array.of(1, 8, 8), shape: [3] }), true);
  assert.equal(await isInteger({ data: BigInt64Array.of(1n, 8n, 8n), shape: [3] }), true);
});

test('arrays whose shape, type or numbers are wrong are refused', () => {
  const data = new Float32Array(6);
  const bad: unknown[] = [
    { data, shape: [5] },
    { data, shape: [7] },
    { data, shape: [-6] },
    { data, shape: [2.5] },
    { data, shape: [NaN] },
    { data, shape: 6 },
    { data, shape: [6], dtype: 'int32' },
    { data, shape: [6], dtype: 'complex64' },
    { data: new Uint16Array(6), shape: [6] },
    { data: new Uint8Array(6), shape: [6] },
    { data: [1, 2, 3, 4, 5, 6], shape: [6] },
    { data: undefined, shape: [1] },
  ];
  for (const array of bad) throwsWith(() => viewOfArray(array as never), 'invalid_embedding');
});

test('integers beyond exact numbers are refused', async () => {
  const view = viewOfArray({ data: BigInt64Array.of(2n ** 60n), shape: [1] });
  await assert.rejects(toDense(view), { code: 'invalid_embedding' });
});

test('an item of a tensor of several is cut out', async () => {
  const view = viewOfArray({ data: Float32Array.from({ length: 12 }, (_, i) => i), shape: [3, 2, 2] });
  const { data, shape } = await toDense(sliceView(view, { start: 1, count: 1 }));
  assert.deepEqual([...data], [4, 5, 6, 7]);
  assert.deepEqual(shape, [1, 2, 2]);
  throwsWith(() => sliceView(view, { start: 3, count: 1 }), 'invalid_embedding');
});

test('long conversions leave the event loop free and end with their request', async () => {
  const data = new Uint16Array(8 * 1024 * 1024);
  let numTurns = 0;
  const timer = setInterval(() => numTurns++, 0);
  await toDense(viewOfArray({ data, shape: [data.length], dtype: 'bfloat16' }));
  clearInterval(timer);
  assert.ok(numTurns >= 3, `${numTurns} turns`);
  const ended = AbortSignal.abort(new Error('gone'));
  await assert.rejects(toDense(viewOfArray({ data, shape: [data.length], dtype: 'float16' }), ended), /gone/);
});
