import { stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { SensoriumError } from '../errors.js';
import { readChatTemplates, type ChatTemplates } from './chat-templates.js';
import { isJsonObject, readOptionalJson, type JsonObject } from './json-file.js';
import { readTokenizerJson } from './tokenizer-file.js';

/** What JavaScript needs of a checkpoint's folder, read once. */
export interface ModelFolder {
  /** Absolute. */
  path: string;
  name: string;
  config: JsonObject;
  /** `model_type` of config.json, or of its `thinker_config`. */
  modelType: string;
  generationConfig: JsonObject;
  tokenizerJson: JsonObject;
  tokenizerConfig: JsonObject;
  /** Absent: the checkpoint has none. */
  chatTemplates?: ChatTemplates | undefined;
}

async function checkFolder(path: string): Promise<void> {
  const info = await stat(path).catch(() => undefined);
  if (info === undefined) {
    throw new SensoriumError('invalid_checkpoint', `There is no model folder at '${path}'.`, {
      param: 'model',
    });
  }
  if (!info.isDirectory()) {
    throw new SensoriumError(
      'invalid_checkpoint',
      `'${path}' is not a folder: give the folder that holds config.json.`,
      {
        param: 'model',
      },
    );
  }
}

function required(value: JsonObject | undefined, file: string, path: string): JsonObject {
  if (value !== undefined) return value;
  throw new SensoriumError('invalid_checkpoint', `'${path}' has no ${file}.`, { param: 'model' });
}

function readModelType(config: JsonObject): string {
  const thinker = isJsonObject(config.thinker_config) ? config.thinker_config : undefined;
  const type = config.model_type ?? thinker?.model_type;
  return typeof type === 'string' ? type : '';
}

/** Reads a local folder in the Hub's layout. Rejects with `invalid_checkpoint`, naming the file. */
export async function openModelFolder(folder: string): Promise<ModelFolder> {
  const path = resolve(folder);
  await checkFolder(path);
  const config = required(await readOptionalJson(join(path, 'config.json')), 'config.json', path);
  const [generationConfig, givenTokenizerConfig] = await Promise.all([
    readOptionalJson(join(path, 'generation_config.json')),
    readOptionalJson(join(path, 'tokenizer_config.json')),
  ]);
  const tokenizerConfig = givenTokenizerConfig ?? {};
  return {
    path,
    name: basename(path),
    config,
    modelType: readModelType(config),
    generationConfig: generationConfig ?? {},
    tokenizerJson: required(await readTokenizerJson(path, tokenizerConfig), 'tokenizer.json', path),
    tokenizerConfig,
    chatTemplates: await readChatTemplates(path, tokenizerConfig),
  };
}
