import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { SensoriumError, toSensoriumError } from '../errors.js';
import type { Modality } from '../media/types.js';
import { readChatTemplates } from '../model-folder/chat-templates.js';
import { isJsonObject, readOptionalJson, type JsonObject } from '../model-folder/json-file.js';
import { readTokenizerJson } from '../model-folder/tokenizer-file.js';
import type { NativeAddon } from '../native/addon.js';
import { createProcessor } from '../processors/index.js';
import { kvBytes, readTextShape } from './text-shape.js';
import { readWeightHeaders } from './weight-headers.js';

const BYTES = { bfloat16: 2, float32: 4 } as const;
/** A tensor of every language model that was saved with its adapter. */
const LANGUAGE_MODEL_MARK = 'language_model.model.embed_tokens.weight';
const CONTEXTS = [2048, 8192, 32768];

export interface MemoryNeed {
  dtype: keyof typeof BYTES;
  weightBytes: number;
  /** KV cache of one request of so many tokens. */
  kvBytes: { numTokens: number; numBytes: number }[];
}

/** What a checkpoint is, what it takes and needs, and what is wrong with it. */
export interface Inspection {
  name: string;
  architecture: string;
  /** Absent: the architecture is not supported. */
  family?: string | undefined;
  /** Media that its prompts may hold beside text. */
  modalities: readonly Modality[];
  numParameters: number;
  numTensors: number;
  storedBytes: number;
  /** Parameters by the type they are stored in, most first. */
  storedTypes: { type: string; numParameters: number }[];
  maxModelLen?: number | undefined;
  memory: MemoryNeed[];
  hasChatTemplate: boolean;
  /** What keeps it from loading, or from answering as it should. */
  problems: string[];
}

/** Reads a folder in the Hub's layout without loading it. Rejects with `invalid_checkpoint` where there is no config.json. */
export async function inspectModel(folder: string, addon: NativeAddon): Promise<Inspection> {
  const path = resolve(folder);
  const config = await readConfig(path);
  const companion = addon.findCompanion(path);
  const weights = await readWeightHeaders(path, ...(companion === '' ? [] : [companion]));
  const problems = [
    ...weights.problems.map((problem) => `The checkpoint: ${problem}.`),
    ...configProblems(config),
  ];
  const processor = await createProcessor(path, addon).catch((error: unknown) => {
    problems.push(toSensoriumError(error).message);
    return undefined;
  });
  if (!(await hasTokenizer(path, problems)))
    problems.push('tokenizer.json is missing: the text cannot be read.');
  const isComplete = companion !== '' || weights.names.has(LANGUAGE_MODEL_MARK);
  if (textOf(config['text_model_id']) !== undefined && !isComplete) problems.push(missingCompanion(config));
  const shape = readTextShape(companion === '' ? config : await readConfig(companion));
  const { numParameters, numTensors, storedBytes } = weights;
  return {
    name: basename(path),
    architecture: architectureOf(config),
    family: processor?.family,
    modalities: processor?.modalities ?? [],
    numParameters,
    numTensors,
    storedBytes,
    storedTypes: [...weights.numByType]
      .map(([type, count]) => ({ type, numParameters: count }))
      .sort((a, b) => b.numParameters - a.numParameters),
    maxModelLen: shape?.maxPositions,
    memory: memoryNeeds(numParameters, shape),
    hasChatTemplate: await hasChatTemplate(path, problems),
    problems,
  };
}

const missingCompanion = (config: JsonObject): string =>
  `The language model '${textOf(config['text_model_id'])}' is not there: put its folder beside or inside this one as text_model.`;

async function readConfig(path: string): Promise<JsonObject> {
  const config = await readOptionalJson(join(path, 'config.json'));
  if (config !== undefined) return config;
  throw new SensoriumError('invalid_checkpoint', `'${path}' holds no config.json.`, { param: 'model' });
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function architectureOf(config: JsonObject): string {
  const { architectures } = config;
  const first: unknown = Array.isArray(architectures) ? (architectures as unknown[])[0] : undefined;
  return textOf(first) ?? textOf(config['model_type']) ?? 'unknown';
}

function configProblems(config: JsonObject): string[] {
  const quantization = config['quantization_config'];
  if (!isJsonObject(quantization)) return [];
  const method = textOf(quantization['quant_method']) ?? 'an unknown method';
  return [`The weights are quantised by ${method}, which is not read; take the checkpoint it was made from.`];
}

const isFile = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isFile() ?? false;

/** Whether the text can be read; a tokenizer.json, which may be large, is not opened. */
async function hasTokenizer(path: string, problems: string[]): Promise<boolean> {
  if (await isFile(join(path, 'tokenizer.json'))) return true;
  try {
    const tokenizerConfig = (await readOptionalJson(join(path, 'tokenizer_config.json'))) ?? {};
    return (await readTokenizerJson(path, tokenizerConfig)) !== undefined;
  } catch (error) {
    problems.push(toSensoriumError(error).message);
    return true;
  }
}

async function hasChatTemplate(path: string, problems: string[]): Promise<boolean> {
  try {
    const tokenizerConfig = (await readOptionalJson(join(path, 'tokenizer_config.json'))) ?? {};
    return (await readChatTemplates(path, tokenizerConfig)) !== undefined;
  } catch (error) {
    problems.push(toSensoriumError(error).message);
    return false;
  }
}

function memoryNeeds(numParameters: number, shape: ReturnType<typeof readTextShape>): MemoryNeed[] {
  return (['bfloat16', 'float32'] as const).map((dtype) => ({
    dtype,
    weightBytes: numParameters * BYTES[dtype],
    kvBytes:
      shape === undefined
        ? []
        : contextsUpTo(shape.maxPositions).map((numTokens) => ({
            numTokens,
            numBytes: kvBytes(shape, numTokens, BYTES[dtype]),
          })),
  }));
}

function contextsUpTo(most: number | undefined): number[] {
  if (most === undefined) return CONTEXTS;
  return [...CONTEXTS.filter((numTokens) => numTokens < most), most];
}
