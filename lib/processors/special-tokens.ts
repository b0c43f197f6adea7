import { invalidFile, numberAt, type CheckpointFiles, type JsonObject } from './checkpoint-files.js';

export interface SpecialToken {
  id: number;
  text: string;
}

/**
 * A special token: its id from the first of `keys` in `config`, else from its usual text.
 * Throws `invalid_checkpoint` where the checkpoint has neither.
 */
export function specialToken(
  files: CheckpointFiles,
  config: JsonObject,
  keys: string[],
  usualText: string,
): SpecialToken {
  const id = numberAt(config, ...keys);
  if (id !== undefined) return { id, text: files.specialTokens.get(id) ?? usualText };
  for (const [tokenId, text] of files.specialTokens) if (text === usualText) return { id: tokenId, text };
  throw invalidFile('config.json', `names no ${keys[0]}`);
}
