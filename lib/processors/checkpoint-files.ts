import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SensoriumError } from '../errors.js';

export type JsonObject = Record<string, unknown>;

/** The small JSON files of a checkpoint folder that processors are built from. Absent files are empty objects. */
export interface CheckpointFiles {
  config: JsonObject;
  imageProcessor: JsonObject;
  /** Falls back to `imageProcessor`, as the families without a video file of their own do. */
  videoProcessor: JsonObject;
  featureExtractor: JsonObject;
  /** processor_config.json as a whole. */
  processor: JsonObject;
  /** config.json of the checkpoint whose weights complete this one (Ultravox's language model). */
  companion?: JsonObject | undefined;
  /** Text of special tokens by id. */
  specialTokens: ReadonlyMap<number, string>;
}

/**
 * Reads a checkpoint's configuration in every spelling that hubs hold. `companionFolder`: of the checkpoint that completes
 * it. Throws `invalid_checkpoint`.
 */
export async function readCheckpointFiles(folder: string, companionFolder = ''): Promise<CheckpointFiles> {
  const config = await readJson(folder, 'config.json');
  if (config === undefined) throw invalidFile('config.json', 'is missing');
  const preprocessor = (await readJson(folder, 'preprocessor_config.json')) ?? {};
  const video = await readJson(folder, 'video_preprocessor_config.json');
  const combined = (await readJson(folder, 'processor_config.json')) ?? {};
  const imageProcessor = { ...preprocessor, ...objectAt(combined, 'image_processor') };
  return {
    config,
    imageProcessor,
    videoProcessor: objectAt(combined, 'video_processor') ?? video ?? imageProcessor,
    featureExtractor: { ...preprocessor, ...objectAt(combined, 'feature_extractor') },
    processor: combined,
    companion: companionFolder === '' ? undefined : await readJson(companionFolder, 'config.json'),
    specialTokens: await readSpecialTokens(folder),
  };
}

async function readJson(folder: string, name: string): Promise<JsonObject | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, name), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw invalidFile(name, 'cannot be read', error);
  }
  const value = parseJson(text, name);
  if (!isObject(value)) throw invalidFile(name, 'does not hold a JSON object');
  return value;
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidFile(name, 'is not valid JSON', error);
  }
}

/** From tokenizer_config.json, which is small, else from tokenizer.json. */
async function readSpecialTokens(folder: string): Promise<Map<number, string>> {
  const tokens = new Map<number, string>();
  const decoder =
    objectAt((await readJson(folder, 'tokenizer_config.json')) ?? {}, 'added_tokens_decoder') ?? {};
  for (const [id, token] of Object.entries(decoder)) addToken(tokens, Number(id), token);
  if (tokens.size > 0) return tokens;
  const added = (await readJson(folder, 'tokenizer.json'))?.['added_tokens'];
  for (const token of Array.isArray(added) ? (added as unknown[]) : []) {
    if (isObject(token)) addToken(tokens, Number(token['id']), token);
  }
  return tokens;
}

function addToken(tokens: Map<number, string>, id: number, token: unknown): void {
  const content = isObject(token) ? token['content'] : token;
  if (Number.isInteger(id) && typeof content === 'string') tokens.set(id, content);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object under `key`, or undefined. */
export function objectAt(object: JsonObject, key: string): JsonObject | undefined {
  const value = object[key];
  return isObject(value) ? value : undefined;
}

/** The first of `keys` that holds a finite number. */
export function numberAt(object: JsonObject, ...keys: string[]): number | undefined {
  for (const key of keys) {
    const value = object[key];
    if (typeof value === 'number' && Number.isFinite(value)) return value;
  }
  return undefined;
}

export function invalidFile(name: string, reason: string, cause?: unknown): SensoriumError {
  return new SensoriumError('invalid_checkpoint', `${name} ${reason}.`, { cause });
}
