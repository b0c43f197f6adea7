import { join } from 'node:path';
import { SensoriumError } from '../errors.js';
import { isJsonObject, readOptionalJson, readOptionalText, type JsonObject } from './json-file.js';

/** Where words end, as Qwen2's tokenizer class has it. */
const QWEN2_WORDS = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`;
const QWEN2_CLASSES: readonly unknown[] = ['Qwen2Tokenizer', 'Qwen2TokenizerFast'];

const BYTE_LEVEL = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };

/** The lines of merges.txt that hold a pair. */
function readMerges(text: string): string[] {
  const lines = text
    .split(/\r?\n/)
    .filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')));
  const damaged = lines.find((line) => line.split(' ').length !== 2);
  if (damaged === undefined) return lines;
  throw new SensoriumError(
    'invalid_checkpoint',
    `merges.txt: '${damaged.slice(0, 100)}' is not a pair of tokens.`,
  );
}

/** `added_tokens_decoder` of tokenizer_config.json, else the older added_tokens.json, as tokenizer.json lists them. */
function listAddedTokens(tokenizerConfig: JsonObject, addedTokens: JsonObject): JsonObject[] {
  const decoder = tokenizerConfig.added_tokens_decoder;
  if (isJsonObject(decoder))
    return Object.entries(decoder).map(([id, token]) => ({
      ...(isJsonObject(token) && token),
      id: Number(id),
    }));
  return Object.entries(addedTokens).map(([content, id]) => ({ id, content, special: true }));
}

/**
 * The tokenizer of a checkpoint of Qwen's that brings vocab.json and merges.txt alone. Undefined: they are not there, or
 * the tokenizer is of another class. Source: Hugging Face's Qwen2Converter.
 */
async function readQwen2Files(path: string, tokenizerConfig: JsonObject): Promise<JsonObject | undefined> {
  if (!QWEN2_CLASSES.includes(tokenizerConfig.tokenizer_class)) return undefined;
  const [vocab, merges, addedTokens] = await Promise.all([
    readOptionalJson(join(path, 'vocab.json')),
    readOptionalText(join(path, 'merges.txt')),
    readOptionalJson(join(path, 'added_tokens.json')),
  ]);
  if (vocab === undefined || merges === undefined) return undefined;
  const words = { type: 'Split', pattern: { Regex: QWEN2_WORDS }, behavior: 'Isolated', invert: false };
  return {
    added_tokens: listAddedTokens(tokenizerConfig, addedTokens ?? {}),
    normalizer: { type: 'NFC' },
    pre_tokenizer: { type: 'Sequence', pretokenizers: [words, BYTE_LEVEL] },
    post_processor: BYTE_LEVEL,
    decoder: BYTE_LEVEL,
    model: { type: 'BPE', fuse_unk: false, byte_fallback: false, vocab, merges: readMerges(merges) },
  };
}

/** tokenizer.json, or what it would hold where a checkpoint brings older files. Undefined: there is neither. */
export async function readTokenizerJson(
  path: string,
  tokenizerConfig: JsonObject,
): Promise<JsonObject | undefined> {
  return (
    (await readOptionalJson(join(path, 'tokenizer.json'))) ?? (await readQwen2Files(path, tokenizerConfig))
  );
}
