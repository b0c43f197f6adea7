import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GOLDENS, readJson } from '../../support/goldens.js';

export interface HostileCase {
  file: string;
  kind: 'image' | 'audio' | 'video';
  expect: 'accept' | 'reject' | 'either';
  why: string;
  size_wh?: [number, number];
  pixels_exact?: boolean;
  image_mode?: null;
}

const HOSTILE = join(GOLDENS, 'components', 'hostile_media');

export function hostileCases(kind: HostileCase['kind']): HostileCase[] {
  const { cases } = readJson(join(HOSTILE, 'cases.json')) as { cases: HostileCase[] };
  return cases.filter((hostile) => hostile.kind === kind);
}

export const readHostile = (file: string): Buffer => readFileSync(join(HOSTILE, file));

/** Tensors of a safetensors file by name; missing ones are undefined. */
export function openTensors(path: string): (name: string) => Float32Array | Uint8Array | undefined {
  const file = readFileSync(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  return (name) => {
    const entry = header[name];
    if (entry === undefined) return undefined;
    const [start, end] = entry.data_offsets;
    const bytes = new Uint8Array(file.subarray(8 + headerBytes + start, 8 + headerBytes + end));
    return entry.dtype === 'F32' ? new Float32Array(bytes.buffer) : bytes;
  };
}

export const hostileTensors = (): ReturnType<typeof openTensors> =>
  openTensors(join(HOSTILE, 'data.safetensors'));

export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs((a[i] as number) - (b[i] as number)));
  return most;
}
