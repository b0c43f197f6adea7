import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NativeEngineOptions, NativePatchOptions, NativeRequest } from '../../../lib/native/addon.js';
import { GOLDENS } from '../support/goldens.js';

export interface GoldenTensor {
  shape: number[];
  values: Float32Array | Int32Array | Uint8Array;
}

/** A tensor of a safetensors file; copied, so that typed arrays are aligned. */
export function readTensor(file: string, name: string): GoldenTensor {
  const bytes = readFileSync(file);
  const headerBytes = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const entry = header[name];
  if (entry === undefined) throw new Error(`${file} has no tensor ${name}`);
  const data = new Uint8Array(
    bytes.subarray(8 + headerBytes + entry.data_offsets[0], 8 + headerBytes + entry.data_offsets[1]),
  );
  if (entry.dtype === 'F32') return { shape: entry.shape, values: new Float32Array(data.buffer) };
  if (entry.dtype === 'I32') return { shape: entry.shape, values: new Int32Array(data.buffer) };
  return { shape: entry.shape, values: data };
}

export const componentFile = (part: string): string => join(GOLDENS, 'components', part, 'data.safetensors');
export const caseFile = (family: string, name: string): string =>
  join(GOLDENS, family, 'cases', name, 'expected.safetensors');

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference = Math.max(difference, Math.abs(a[i]! - b[i]!));
  return difference;
}

export const PATCH_OPTIONS: NativePatchOptions = {
  patchSize: 14,
  temporalPatchSize: 2,
  mergeSize: 2,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  filter: 'bicubic',
  doResize: true,
  doRescale: true,
  doNormalize: true,
  rescaleFactor: 1 / 255,
  width: 28,
  height: 28,
};

export const engineOptions = (changes: Partial<NativeEngineOptions> = {}): NativeEngineOptions => ({
  model: join(GOLDENS, 'qwen2', 'model'),
  dtype: 'float32',
  maxNumSeqs: 4,
  maxNumBatchedTokens: 64,
  maxModelLen: 256,
  blockSize: 16,
  encoderCacheBytes: 1 << 20,
  enablePrefixCaching: true,
  eosTokenIds: [],
  maxQueued: 8,
  ...changes,
});

export const greedyRequest = (id: number, promptIds: ArrayLike<number>, maxTokens: number): NativeRequest => ({
  id,
  promptIds: Int32Array.from(promptIds),
  media: [],
  sampling: {
    temperature: 0,
    topP: 1,
    topK: 0,
    minP: 0,
    repetitionPenalty: 1,
    presencePenalty: 0,
    frequencyPenalty: 0,
    logitBias: [],
    maxTokens,
    minTokens: 0,
    ignoreEos: true,
    stopTokenIds: [],
    n: 1,
  },
  cacheSalt: '',
});
