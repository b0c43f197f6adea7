import { SensoriumError } from '../errors.js';
import { MAX_TOKEN_ID } from './added-tokens.js';

const invalid = (reason: string): SensoriumError =>
  new SensoriumError('invalid_checkpoint', `tokenizer.json: ${reason}`);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readIds(vocab: unknown): Map<string, number> {
  if (!isObject(vocab)) throw invalid('the vocabulary of its model is not an object.');
  const ids = new Map<string, number>();
  for (const [token, id] of Object.entries(vocab)) {
    if (!Number.isInteger(id) || Number(id) < 0 || Number(id) >= MAX_TOKEN_ID)
      throw invalid(`the token '${token.slice(0, 100)}' has no valid id.`);
    ids.set(token, Number(id));
  }
  return ids;
}

/** A merge is `"left right"` or, in newer files, `[left, right]`. */
function readPair(merge: unknown): [left: string, right: string] {
  const parts: unknown = typeof merge === 'string' ? merge.split(' ') : merge;
  if (Array.isArray(parts) && parts.length === 2) {
    const [left, right] = parts as unknown[];
    if (typeof left === 'string' && typeof right === 'string') return [left, right];
  }
  throw invalid(`the merge ${JSON.stringify(merge ?? null).slice(0, 100)} is not a pair of tokens.`);
}

/** Tokens and merges of a byte-pair encoding, as tokenizer.json's `model` holds them. */
export class BpeVocabulary {
  readonly idOf: ReadonlyMap<string, number>;
  /** Id of what the merge of a rank makes. */
  private readonly mergedIds: Int32Array;
  /** Ranks by `left * numIds + right`. */
  private readonly rankOf = new Map<number, number>();
  private readonly numIds: number;

  /** Throws `invalid_checkpoint`. */
  constructor(model: Record<string, unknown>) {
    this.idOf = readIds(model.vocab);
    let maxId = 0;
    for (const id of this.idOf.values()) maxId = Math.max(maxId, id);
    this.numIds = maxId + 1;
    const merges: unknown = model.merges ?? [];
    if (!Array.isArray(merges)) throw invalid('the merges of its model are not a list.');
    this.mergedIds = new Int32Array(merges.length);
    for (const [rank, merge] of (merges as unknown[]).entries()) this.addMerge(rank, readPair(merge));
  }

  private addMerge(rank: number, [left, right]: [string, string]): void {
    const [leftId, rightId, mergedId] = [left, right, left + right].map((token) => this.idOf.get(token));
    if (leftId === undefined || rightId === undefined || mergedId === undefined)
      throw invalid(`the merge '${left.slice(0, 50)} ${right.slice(0, 50)}' is of tokens that it lacks.`);
    this.mergedIds[rank] = mergedId;
    this.rankOf.set(leftId * this.numIds + rightId, rank);
  }

  /** Rank of the merge of two neighbours; undefined: they do not merge. */
  rank(leftId: number, rightId: number): number | undefined {
    return this.rankOf.get(leftId * this.numIds + rightId);
  }

  merged(rank: number): number {
    return this.mergedIds[rank] as number;
  }
}
