import { closeSync, copyFileSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** A tensor to write: ones for norms, zeros for biases, normal values of the given deviation for weights. */
export interface TensorSpec {
  name: string;
  shape: number[];
  fill: 'ones' | 'zeros' | 'normal';
}

const CHUNK_VALUES = 1 << 22;
const STANDARD_DEVIATION = 0.02;

/** xorshift32: the same checkpoint on every machine. */
function* randomUint32(seed: number): Generator<number, never> {
  let state = seed >>> 0 || 1;
  for (;;) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    yield state >>> 0;
  }
}

/** 64 Ki normal values rounded to bfloat16; weights draw from it at a random offset a block, which is random enough to time. */
function normalTable(seed: number): Uint16Array {
  const random = randomUint32(seed);
  const table = new Uint16Array(1 << 16);
  const floats = new Float32Array(1);
  const bits = new Uint32Array(floats.buffer);
  for (let i = 0; i < table.length; i++) {
    const u = (random.next().value + 1) / 4294967297;
    const v = random.next().value / 4294967296;
    floats[0] = STANDARD_DEVIATION * Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
    table[i] = ((bits[0] ?? 0) + 0x8000) >>> 16;
  }
  return table;
}

function fillChunk(
  chunk: Uint16Array,
  spec: TensorSpec,
  table: Uint16Array,
  random: Generator<number, never>,
): void {
  if (spec.fill !== 'normal') {
    chunk.fill(spec.fill === 'ones' ? 0x3f80 : 0);
    return;
  }
  const BLOCK = 1 << 12;
  for (let start = 0; start < chunk.length; start += BLOCK) {
    const offset = random.next().value % (table.length - BLOCK);
    chunk.set(table.subarray(offset, offset + Math.min(BLOCK, chunk.length - start)), start);
  }
}

/** Writes `model.safetensors` in bfloat16. */
export function writeSafetensors(path: string, specs: readonly TensorSpec[], seed: number): void {
  const header: Record<string, unknown> = {};
  let offset = 0;
  const numValues = (spec: TensorSpec): number => spec.shape.reduce((product, size) => product * size, 1);
  for (const spec of specs) {
    const end = offset + 2 * numValues(spec);
    header[spec.name] = { dtype: 'BF16', shape: spec.shape, data_offsets: [offset, end] };
    offset = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.alloc(Math.ceil(json.length / 8) * 8, ' ');
  json.copy(padded);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const file = openSync(path, 'w');
  try {
    writeSync(file, length);
    writeSync(file, padded);
    const table = normalTable(seed);
    const random = randomUint32(seed + 1);
    for (const spec of specs) {
      for (let left = numValues(spec); left > 0; left -= CHUNK_VALUES) {
        const chunk = new Uint16Array(Math.min(left, CHUNK_VALUES));
        fillChunk(chunk, spec, table, random);
        writeSync(file, chunk);
      }
    }
  } finally {
    closeSync(file);
  }
}

export interface CheckpointSpec {
  config: Record<string, unknown>;
  files?: Record<string, unknown>;
  tensors: TensorSpec[];
  /** Folder whose tokenizer files are copied. */
  tokenizerFrom: string;
}

/** Writes a Hub-layout folder. */
export function writeCheckpoint(folder: string, spec: CheckpointSpec): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), JSON.stringify(spec.config, null, 1));
  for (const [name, content] of Object.entries(spec.files ?? {})) {
    writeFileSync(join(folder, name), JSON.stringify(content, null, 1));
  }
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.json']) {
    copyFileSync(join(spec.tokenizerFrom, name), join(folder, name));
  }
  writeSafetensors(join(folder, 'model.safetensors'), spec.tensors, 20260101);
}
