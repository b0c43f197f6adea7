import { SensoriumError } from '../errors.js';
import { BpeVocabulary } from './bpe-vocabulary.js';
import { MergeQueue } from './merge-queue.js';
import type { TokenSteps } from './slices.js';

/** Words that are remembered, and their length in UTF-16 units. */
const MAX_KNOWN_WORDS = 10_000;
const MAX_KNOWN_LENGTH = 64;
/** Pieces of a long word that are looked at between two steps. */
const PIECES_PER_STEP = 4096;

const NONE = -1;
const encoder = new TextEncoder();

/** Byte-pair encoding: words to ids. Source: the BPE model of Hugging Face's tokenizers. */
export class BpeModel {
  readonly idOf: ReadonlyMap<string, number>;
  private readonly vocabulary: BpeVocabulary;
  private readonly known = new Map<string, readonly number[]>();
  /** Absent: characters that the vocabulary lacks are left out. */
  private readonly unknownId: number | undefined;
  /** Ids of single bytes; absent: characters that the vocabulary lacks are not spelled in bytes. */
  private readonly byteIds: readonly number[] | undefined;
  /** Whether neighbouring unknown characters become one token. */
  private readonly fusesUnknown: boolean;
  /** Whether a word of the vocabulary is its token, however the merges would spell it. */
  private readonly takesWholeWords: boolean;

  /** `model`: of tokenizer.json. Throws `invalid_checkpoint`. */
  constructor(model: Record<string, unknown>) {
    checkKind(model);
    this.vocabulary = new BpeVocabulary(model);
    this.idOf = this.vocabulary.idOf;
    this.unknownId = typeof model.unk_token === 'string' ? this.idOf.get(model.unk_token) : undefined;
    this.byteIds = model.byte_fallback === true ? readByteIds(this.idOf) : undefined;
    this.fusesUnknown = model.fuse_unk === true;
    this.takesWholeWords = model.ignore_merges === true;
  }

  /** The ids of a word that was seen before, or is a token as it stands. */
  recall(word: string): readonly number[] | undefined {
    const whole = this.takesWholeWords ? this.idOf.get(word) : undefined;
    return whole === undefined ? this.known.get(word) : [whole];
  }

  /** The ids of a word that `recall` does not know. Counts of its steps are 0 until it is done. */
  *encodeWord(word: string): TokenSteps {
    const ids = yield* this.merge(yield* this.spell(word));
    if (word.length <= MAX_KNOWN_LENGTH) this.remember(word, ids);
    return ids;
  }

  private remember(word: string, ids: readonly number[]): void {
    if (this.known.size >= MAX_KNOWN_WORDS) this.known.clear();
    // A copy: the word may be a part of its text, which it would keep in memory.
    this.known.set(Buffer.from(word, 'utf16le').toString('utf16le'), ids);
  }

  /** One id for each character, or several where it is spelled in bytes. */
  private *spell(word: string): TokenSteps {
    const ids: number[] = [];
    let isAfterUnknown = false;
    let numRead = 0;
    for (const character of word) {
      const id = this.idOf.get(character);
      const found = id === undefined ? this.spellBytes(character) : [id];
      if (found !== undefined) ids.push(...found);
      else if (this.unknownId !== undefined && !(isAfterUnknown && this.fusesUnknown))
        ids.push(this.unknownId);
      isAfterUnknown = found === undefined;
      if (++numRead % PIECES_PER_STEP === 0) yield 0;
    }
    return ids;
  }

  private spellBytes(character: string): number[] | undefined {
    const { byteIds } = this;
    return byteIds && Array.from(encoder.encode(character), (byte) => byteIds[byte] as number);
  }

  /** Merges neighbours, lowest rank first, until none merge. */
  private *merge(pieces: readonly number[]): TokenSteps {
    if (pieces.length < 2) return [...pieces];
    const { vocabulary } = this;
    const ids = Int32Array.from(pieces);
    const next = Int32Array.from(ids, (_, i) => (i + 1 < ids.length ? i + 1 : NONE));
    const previous = Int32Array.from(ids, (_, i) => i - 1);
    const queue = new MergeQueue();
    const rankAt = (at: number): number | undefined => {
      const after = at === NONE ? NONE : (next[at] as number);
      return after === NONE ? undefined : vocabulary.rank(ids[at] as number, ids[after] as number);
    };
    const enqueue = (at: number): void => {
      const rank = rankAt(at);
      if (rank !== undefined) queue.push(rank, at);
    };
    let numSeen = 0;
    for (let at = 0; at < ids.length; at++) {
      enqueue(at);
      if (++numSeen % PIECES_PER_STEP === 0) yield 0;
    }
    for (let found = queue.pop(); found !== undefined; found = queue.pop()) {
      if (++numSeen % PIECES_PER_STEP === 0) yield 0;
      const { rank, position } = found;
      // What stood there when it was queued may have merged since.
      if (ids[position] === NONE || rankAt(position) !== rank) continue;
      const gone = next[position] as number;
      const after = next[gone] as number;
      ids[position] = vocabulary.merged(rank);
      ids[gone] = NONE;
      next[position] = after;
      if (after !== NONE) previous[after] = position;
      enqueue(previous[position] as number);
      enqueue(position);
    }
    return Array.from(ids).filter((id) => id !== NONE);
  }
}

function checkKind(model: Record<string, unknown>): void {
  const { type = 'BPE', continuing_subword_prefix: prefix, end_of_word_suffix: suffix } = model;
  const reason =
    type !== 'BPE'
      ? `the model '${String(type).slice(0, 50)}' is not supported; BPE is`
      : Boolean(prefix) || Boolean(suffix)
        ? 'marks inside words (continuing_subword_prefix, end_of_word_suffix) are not supported'
        : undefined;
  if (reason !== undefined) throw new SensoriumError('invalid_checkpoint', `tokenizer.json: ${reason}.`);
}

/** Undefined: the vocabulary does not have them all. */
function readByteIds(idOf: ReadonlyMap<string, number>): number[] | undefined {
  const ids = Array.from({ length: 256 }, (_, byte) =>
    idOf.get(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
  );
  return ids.every((id) => id !== undefined) ? ids : undefined;
}
