import { SensoriumError, toSensoriumError } from '../errors.js';
import type { SpellingTrie } from '../tokenizer/spelling-trie.js';

const FIRST_STAND_IN = 0xe000;
const LAST_STAND_IN = 0xf8ff;
const PRIVATE_USE = /[\ue000-\uf8ff]/;
/** Nesting of tools and other values that a client sends for the template. */
const MAX_DEPTH = 64;

/** All strings of a value, object keys included. */
function* stringsOf(value: unknown, depth = 0): Generator<string> {
  if (depth > MAX_DEPTH) {
    throw new SensoriumError(
      'invalid_value',
      `Values for the chat template may be nested ${MAX_DEPTH} deep at most.`,
    );
  }
  if (typeof value === 'string') yield value;
  else if (Array.isArray(value)) for (const entry of value) yield* stringsOf(entry, depth + 1);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, entry] of Object.entries(value)) {
      yield key;
      yield* stringsOf(entry, depth + 1);
    }
  }
}

/** As `stringsOf`; an error names the field. */
function* stringsOfFields(fields: Readonly<Record<string, unknown>>): Generator<string> {
  for (const [param, value] of Object.entries(fields)) {
    try {
      yield* stringsOf(value);
    } catch (error) {
      throw toSensoriumError(error).withParam(param);
    }
  }
}

/** Values without strings in them, as JSON has them. */
function plainValue(value: unknown): unknown {
  if (value === null || value === undefined || typeof value === 'boolean' || typeof value === 'number')
    return value;
  throw new SensoriumError(
    'invalid_type',
    `Values for the chat template must be JSON, not a ${typeof value}.`,
  );
}

/**
 * Keeps user text apart from control tokens. Before rendering, the first character of every spelling of a control
 * token (and of every beginning of one at a string's end) becomes a stand-in: a private-use character that no input
 * holds. What still spells a control token after rendering was written by the template. `restore` brings the
 * characters back.
 */
export class Neutraliser {
  private readonly standInOf = new Map<string, string>();
  private readonly characterOf = new Map<string, string>();
  private readonly taken: ReadonlySet<string>;

  /** `inputs`: every value that is rendered, and the template's own source, by the request field they come from. */
  constructor(
    private readonly spellings: SpellingTrie,
    inputs: Readonly<Record<string, unknown>>,
  ) {
    const taken = new Set<string>();
    for (const text of stringsOfFields(inputs)) {
      if (!PRIVATE_USE.test(text)) continue;
      for (const character of text) if (PRIVATE_USE.test(character)) taken.add(character);
    }
    this.taken = taken;
  }

  /** A character that occurs in no input, and will not be given again. */
  reserve(): string {
    for (let unit = FIRST_STAND_IN; unit <= LAST_STAND_IN; unit++) {
      const candidate = String.fromCharCode(unit);
      if (this.taken.has(candidate) || this.characterOf.has(candidate)) continue;
      this.characterOf.set(candidate, '');
      return candidate;
    }
    throw new SensoriumError('invalid_value', 'The text uses every private-use character of Unicode.');
  }

  private standInFor(character: string): string {
    let standIn = this.standInOf.get(character);
    if (standIn === undefined) {
      standIn = this.reserve();
      this.standInOf.set(character, standIn);
      this.characterOf.set(standIn, character);
    }
    return standIn;
  }

  text(text: string): string {
    let result = '';
    let copiedTo = 0;
    const { spellings } = this;
    for (let i = spellings.nextStart(text, 0); i < text.length; i = spellings.nextStart(text, i + 1)) {
      const match = spellings.matchAt(text, i);
      if (match.length === 0 && !match.reachesEnd) continue;
      result += text.slice(copiedTo, i) + this.standInFor(text.charAt(i));
      copiedTo = i + 1;
    }
    return copiedTo === 0 ? text : result + text.slice(copiedTo);
  }

  /** A copy of a JSON value with all its strings neutralised. */
  value(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((entry) => this.value(entry));
    if (typeof value !== 'object' || value === null) return plainValue(value);
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [this.text(key), this.value(entry)]),
    );
  }

  restore(text: string): string {
    if (this.characterOf.size === 0 || !PRIVATE_USE.test(text)) return text;
    return text.replace(/[\ue000-\uf8ff]/g, (unit) => this.characterOf.get(unit) ?? unit);
  }
}
