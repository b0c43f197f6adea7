import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { denseBytes, parseTensorFile, toDense, type TensorView } from '../../../lib/tensors/index.js';
import type { DenseTensor } from '../../../lib/media/types.js';
import { parseSafetensors } from '../../../lib/tensors/safetensors.js';
import { parseTorchSave } from '../../../lib/tensors/torch-save.js';
import { throwsWith } from '../media/support/errors.js';
import { GOLDENS, readJson } from '../support/goldens.js';
import { packValues, pickleTensor, writeTorchSave, writeZip } from '../support/tensor-files.js';

interface TorchCase {
  name: string;
  base64: string;
  expect: 'accept' | 'reject' | 'either';
  shape?: number[];
}

const FOLDER = join(GOLDENS, 'components', 'torch_save');
const { cases } = readJson(join(FOLDER, 'cases.json')) as { cases: TorchCase[] };
const stored = parseSafetensors(readFileSync(join(FOLDER, 'data.safetensors')));
/** The reference's values of a case, where it has any. */
async function expected(name: string): Promise<DenseTensor['data'] | undefined> {
  const view = stored.get(name);
  return view && (await toDense(view)).data;
}
/** Refused by what reads the text, or by the contract of rows: types and ranks that a file may well have. */
const REFUSED_ELSEWHERE = ['int64', 'one_d', 'four_d', 'base64_bad_chars'];

test('archives of torch.save give the tensors that torch reads from them', async () => {
  const accepted = cases.filter(({ expect }) => expect === 'accept');
  assert.ok(accepted.length >= 11);
  for (const { name, base64, shape } of accepted) {
    const view = parseTensorFile(Buffer.from(base64, 'base64')) as TensorView;
    const { data, shape: found, isInteger } = await toDense(view);
    const values = await expected(name);
    assert.ok(values, name);
    if (shape !== undefined) assert.deepEqual(found, shape, name);
    assert.deepEqual(data, values, name);
    assert.equal(isInteger, false);
  }
});

test('hostile and damaged archives are refused without an allocation', () => {
  const refused = cases.filter(
    ({ name, expect }) => expect === 'reject' && !REFUSED_ELSEWHERE.includes(name),
  );
  assert.ok(refused.length >= 35);
  for (const { base64 } of refused) {
    throwsWith(() => parseTensorFile(Buffer.from(base64, 'base64')), 'invalid_embedding');
  }
});

test('archives that may be read or refused are read right or refused clearly', async () => {
  for (const { name, base64 } of cases.filter(({ expect }) => expect === 'either')) {
    let view: TensorView;
    try {
      view = parseTensorFile(Buffer.from(base64, 'base64')) as TensorView;
    } catch (error) {
      throwsWith(() => {
        throw error;
      }, 'invalid_embedding');
      continue;
    }
    assert.ok(denseBytes(view) < 4096, name);
    const values = await expected(name);
    const { data } = await toDense(view);
    if (values !== undefined) assert.deepEqual(data, values, name);
  }
});

test('every type is read, signs and extremes included', async () => {
  const floats = [0, -0, 1, -1.5, 65504, 2 ** -14, 0.333251953125];
  for (const type of ['float64', 'float32', 'float16'] as const) {
    const view = parseTorchSave(writeTorchSave({ values: floats, shape: [7], type }));
    assert.deepEqual((await toDense(view)).data, Float32Array.from(floats), type);
  }
  const wide = [0, -0, 1, -1.5, 3.3895313892515355e38, 2 ** -126];
  const bfloats = parseTorchSave(writeTorchSave({ values: wide, shape: [2, 3], type: 'bfloat16' }));
  assert.deepEqual((await toDense(bfloats)).data, Float32Array.from(wide));
  const integers = [0, -1, 2 ** 31 - 1, -(2 ** 31)];
  for (const type of ['int64', 'int32'] as const) {
    const dense = await toDense(parseTorchSave(writeTorchSave({ values: integers, shape: [4], type })));
    assert.deepEqual(dense, { data: Float64Array.from(integers), shape: [4], isInteger: true });
  }
});

test('subnormal, infinite and undefined halves keep their meaning', async () => {
  const bits = [0x0001, 0x83ff, 0x7c00, 0xfc00, 0x7e00];
  const record = Buffer.from(Uint16Array.from(bits).buffer);
  const file = writeZip([
    ['a/data.pkl', pickleTensor('HalfStorage', 5, 0, [5], [1])],
    ['a/data/0', record],
  ]);
  const { data } = await toDense(parseTorchSave(file));
  assert.deepEqual([...data], [2 ** -24, -1023 * 2 ** -24, Infinity, -Infinity, NaN]);
});

const archive = (pickle: Buffer, record: Buffer = packValues([1, 2, 3, 4], 'float32')): Buffer =>
  writeZip([
    ['a/data.pkl', pickle],
    ['a/data/0', record],
  ]);

test('views of larger storages are read by their strides', async () => {
  const record = packValues([0, 1, 2, 3, 4, 5], 'float32');
  const read = async (offset: number, shape: number[], strides: number[]): Promise<number[]> => {
    const file = archive(pickleTensor('FloatStorage', 6, offset, shape, strides), record);
    return [...(await toDense(parseTorchSave(file))).data];
  };
  assert.deepEqual(await read(0, [3, 2], [2, 1]), [0, 1, 2, 3, 4, 5]);
  assert.deepEqual(await read(0, [2, 3], [1, 2]), [0, 2, 4, 1, 3, 5]);
  assert.deepEqual(await read(1, [2, 2], [3, 1]), [1, 2, 4, 5]);
  assert.deepEqual(await read(2, [2, 2], [0, 1]), [2, 3, 2, 3]);
  assert.deepEqual(await read(5, [1, 1], [99, 99]), [5]);
  assert.deepEqual(await read(4, [], []), [4]);
});

test('bytes that the storage has not are not read', () => {
  const outside: [offset: number, shape: number[], strides: number[]][] = [
    [0, [5], [1]],
    [1, [4], [1]],
    [0, [2], [4]],
    [4, [1], [1]],
    [0, [2, 2], [3, 1]],
    [-1, [1], [1]],
    [0, [2], [-1]],
    [0, [-1], [1]],
    [0, [4], [1, 1]],
    [0, [2 ** 30, 2 ** 30], [0, 0]],
  ];
  for (const [offset, shape, strides] of outside) {
    throwsWith(
      () => parseTorchSave(archive(pickleTensor('FloatStorage', 4, offset, shape, strides))),
      'invalid_embedding',
    );
  }
});

test('a small file cannot ask for much memory', () => {
  const view = parseTorchSave(archive(pickleTensor('FloatStorage', 4, 0, [2 ** 24, 2 ** 12], [0, 0])));
  assert.equal(denseBytes(view), 2 ** 38);
});

test('archives with other records, folders or packing are refused', () => {
  const pickle = pickleTensor('FloatStorage', 4, 0, [4], [1]);
  const record = packValues([1, 2, 3, 4], 'float32');
  const good: [string, Buffer][] = [
    ['a/data.pkl', pickle],
    ['a/data/0', record],
  ];
  assert.deepEqual(parseTorchSave(writeZip(good)).shape, [4]);
  const bad: [string, Buffer][][] = [
    [...good, ['b/data.pkl', pickle]],
    [...good, ['a/data.pkl', pickle]],
    [...good, ['b/data/0', record]],
    [
      ['data.pkl', pickle],
      ['data/0', record],
    ],
    [...good, ['a/byteorder', Buffer.from('middle')]],
    [
      ['a/data.pkl', pickle],
      ['a/data/1', record],
    ],
  ];
  for (const records of bad) throwsWith(() => parseTorchSave(writeZip(records)), 'invalid_embedding');
  throwsWith(() => parseTorchSave(writeZip(good, 8)), 'invalid_embedding');
});
