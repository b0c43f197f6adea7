import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { SensoriumError } from '../errors.js';

export type JsonObject = Record<string, unknown>;

/** Tokenizers of real models stay below 40 MB. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;

const hasCode = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The text of a file, or undefined where there is none. */
export async function readOptionalText(path: string): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size > MAX_FILE_BYTES) {
      throw new SensoriumError('invalid_checkpoint', `${basename(path)} is too large: ${size} bytes.`);
    }
    return await readFile(path, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    if (error instanceof SensoriumError) throw error;
    throw new SensoriumError('invalid_checkpoint', `${basename(path)} cannot be read: ${String(error)}`, {
      cause: error,
    });
  }
}

export function parseJsonObject(text: string, fileName: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SensoriumError('invalid_checkpoint', `${fileName} is not valid JSON: ${reason}`, {
      cause: error,
    });
  }
  if (!isJsonObject(value))
    throw new SensoriumError('invalid_checkpoint', `${fileName} is not a JSON object.`);
  return value;
}

export async function readOptionalJson(path: string): Promise<JsonObject | undefined> {
  const text = await readOptionalText(path);
  return text === undefined ? undefined : parseJsonObject(text, basename(path));
}
