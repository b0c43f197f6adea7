import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { SensoriumError } from '../../../lib/errors.js';
import { denseBytes, parseTensorFile, toDense } from '../../../lib/tensors/index.js';
import { unpickle } from '../../../lib/tensors/pickle.js';
import { GOLDENS, readJson } from '../support/goldens.js';
import { pickleTensor, writeNpy, writeSafetensors, writeTorchSave } from '../support/tensor-files.js';

const ROUNDS = Number(process.env.SENSORIUM_FUZZ_ROUNDS ?? 6000);
const INTERESTING = [0, 1, 2, 8, 0x28, 0x2e, 0x51, 0x52, 0x7f, 0x80, 0x85, 0xfe, 0xff];
const MOST_BYTES = 1 << 20;

/** Repeatable random numbers in [0, limit). */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

type Random = ReturnType<typeof createRandom>;

/** Changed, cut, doubled or mixed bytes of one seed and another. */
function mutate(seed: Buffer, other: Buffer, random: Random): Buffer {
  let bytes = Buffer.from(seed);
  const at = random(bytes.length + 1);
  const kind = random(8);
  if (kind === 0) bytes = bytes.subarray(0, at);
  else if (kind === 1)
    bytes = Buffer.concat([bytes.subarray(0, at), other.subarray(random(other.length + 1))]);
  else if (kind === 2) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(random(at + 1))]);
  for (let i = random(5); i >= 0 && bytes.length > 0; i--) {
    bytes[random(bytes.length)] = random(2) === 0 ? INTERESTING[random(INTERESTING.length)]! : random(256);
  }
  return bytes;
}

/** Whatever a file says: a tensor whose elements all lie inside it, or a clean refusal. */
async function read(bytes: Buffer): Promise<boolean> {
  try {
    const parsed = parseTensorFile(bytes);
    const views = parsed instanceof Map ? [...parsed.values()] : [parsed];
    for (const view of views) {
      if (denseBytes(view) > MOST_BYTES) continue;
      const { data, shape } = await toDense(view);
      assert.equal(
        data.length,
        shape.reduce((product, size) => product * size, 1),
      );
    }
    return true;
  } catch (error) {
    if (error instanceof SensoriumError && error.code === 'invalid_embedding') return false;
    throw error;
  }
}

async function checkAll(seeds: Buffer[], seed: number): Promise<void> {
  const random = createRandom(seed);
  let numRead = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = mutate(seeds[round % seeds.length]!, seeds[random(seeds.length)]!, random);
    try {
      if (await read(bytes)) numRead++;
    } catch (error) {
      assert.fail(`round ${round}: ${String(error)} on ${bytes.toString('hex').slice(0, 400)}`);
    }
  }
  assert.ok(numRead > 0 && numRead < ROUNDS, `${numRead} of ${ROUNDS} were read`);
}

const tensor = { values: [1, 2, 3, 4, 5, 6], shape: [2, 3] };

describe('mutated tensor files end in a tensor or a clean error', () => {
  test('torch.save', () => {
    const { cases } = readJson(join(GOLDENS, 'components', 'torch_save', 'cases.json')) as {
      cases: { base64: string }[];
    };
    const golden = cases
      .map(({ base64 }) => Buffer.from(base64, 'base64'))
      .filter((file) => file.length < 4096);
    return checkAll([...golden, writeTorchSave(tensor), writeTorchSave({ ...tensor, type: 'bfloat16' })], 1);
  });

  test('npy', () =>
    checkAll(
      [writeNpy(tensor), writeNpy({ ...tensor, type: 'int64' }, false), writeNpy(tensor, true, true)],
      2,
    ));

  test('safetensors', () => {
    const folder = join(GOLDENS, 'components', 'safetensors_hostile', 'files');
    const golden = readdirSync(folder)
      .map((name) => readFileSync(join(folder, name)))
      .filter((file) => file.length < 4096);
    return checkAll(
      [...golden, writeSafetensors({ rows: tensor, image_grid_thw: { values: [1, 2, 3], shape: [3] } })],
      3,
    );
  });

  test('pickles of nothing but known opcodes', () => {
    const codes = [
      ...pickleTensor('FloatStorage', 6, 0, [2, 3], [3, 1]),
      0x94,
      0x95,
      0x8a,
      0x8c,
      0x93,
      0x7d,
      0x4e,
    ];
    const random = createRandom(4);
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = Buffer.from(Array.from({ length: 2 + random(60) }, () => codes[random(codes.length)]!));
      const handlers = { call: () => null, load: () => null };
      try {
        unpickle(Buffer.concat([Buffer.from([0x80, 2]), bytes]), handlers);
      } catch (error) {
        assert.ok(error instanceof SensoriumError, `round ${round}: ${String(error)}`);
      }
    }
  });
});
