import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

function findRepository(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new Error('The repository was not found above the test.');
    folder = parent;
  }
  return folder;
}

export const REPOSITORY = process.env.SENSORIUM_REPOSITORY ?? findRepository();

function findGoldens(): string {
  if (process.env.SENSORIUM_GOLDENS !== undefined) return process.env.SENSORIUM_GOLDENS;
  const shared = join(REPOSITORY, '..', 'shared', 'goldens');
  return existsSync(shared) ? shared : join(REPOSITORY, 'test', 'goldens');
}

/** The folder of the golden reference data. */
export const GOLDENS = findGoldens();

/** The families of this release; those whose goldens are present. */
export const FAMILIES = ['qwen2', 'qwen2_vl', 'qwen2_5_vl', 'qwen2_5_omni'].filter((family) =>
  existsSync(join(GOLDENS, family, 'model')),
);

/** Qwen3's, whose prompts hold times of frames and whose rows hold deepstack levels; those whose goldens are present. */
export const QWEN3_FAMILIES = ['qwen3', 'qwen3_moe', 'qwen3_vl', 'qwen3_vl_moe', 'qwen3_omni_moe'].filter(
  (family) => existsSync(join(GOLDENS, family, 'model')),
);

/** Those whose pictures are cut into tiles; those whose goldens are present. */
export const PICTURE_FAMILIES = ['llava', 'llava_onevision', 'phi3_v', 'vlm2vec', 'minicpm_v'].filter(
  (family) => existsSync(join(GOLDENS, family, 'model')),
);

/** Text models besides Qwen's; those whose goldens are present. */
export const TEXT_FAMILIES = ['llama', 'mistral', 'phi3'].filter((family) =>
  existsSync(join(GOLDENS, family, 'model')),
);

/** Families that hear, and write or answer; those whose goldens are present. */
export const SPEECH_FAMILIES = ['qwen2_audio', 'ultravox'].filter((family) =>
  existsSync(join(GOLDENS, family, 'model')),
);

export interface GoldenCase {
  family: string;
  name: string;
  folder: string;
  request: any;
  expected: any;
}

export const modelFolderOf = (family: string): string => join(GOLDENS, family, 'model');

export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

export function goldenCases(family: string): GoldenCase[] {
  const root = join(GOLDENS, family, 'cases');
  return readdirSync(root).map((name) => {
    const folder = join(root, name);
    return {
      family,
      name,
      folder,
      request: readJson(join(folder, 'request.json')),
      expected: readJson(join(folder, 'expected.json')),
    };
  });
}

/** An int32 tensor of a case's expected.safetensors. */
export function readInt32Tensor(goldenCase: GoldenCase, name: string): number[] {
  const file = readFileSync(join(goldenCase.folder, 'expected.safetensors'));
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; data_offsets: [number, number] }
  >;
  const entry = header[name];
  if (entry?.dtype !== 'I32') throw new Error(`${goldenCase.name} has no int32 tensor ${name}`);
  const ids: number[] = [];
  for (let at = entry.data_offsets[0]; at < entry.data_offsets[1]; at += 4)
    ids.push(file.readInt32LE(8 + headerBytes + at));
  return ids;
}
