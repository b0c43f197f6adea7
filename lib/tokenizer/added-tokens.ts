import { SensoriumError } from '../errors.js';

/** One entry of the tokenizer's `added_tokens`. */
export interface AddedToken {
  id: number;
  content: string;
  /** Control tokens: never made from user text, left out of answers. */
  isSpecial: boolean;
  /** Whether the blanks left and right of the token belong to it. */
  stripsLeft: boolean;
  stripsRight: boolean;
  /** Matched only where no word character touches it. */
  isSingleWord: boolean;
}

/** Ids of real vocabularies stay below 2^19. */
export const MAX_TOKEN_ID = 2 ** 24;

const invalid = (message: string): SensoriumError =>
  new SensoriumError('invalid_checkpoint', `tokenizer.json: ${message}`);

function readAddedToken(entry: unknown): AddedToken {
  const token = entry as Record<string, unknown> | null;
  if (
    typeof token !== 'object' ||
    token === null ||
    typeof token.content !== 'string' ||
    token.content === ''
  ) {
    throw invalid('an added token has no content.');
  }
  if (!Number.isInteger(token.id) || Number(token.id) < 0 || Number(token.id) >= MAX_TOKEN_ID) {
    throw invalid(`added token '${token.content}' has no valid id.`);
  }
  return {
    id: Number(token.id),
    content: token.content,
    isSpecial: token.special === true,
    stripsLeft: token.lstrip === true,
    stripsRight: token.rstrip === true,
    isSingleWord: token.single_word === true,
  };
}

/** All added tokens of a tokenizer, by content and by id. */
export class AddedTokens {
  readonly byContent = new Map<string, AddedToken>();
  readonly byId = new Map<number, AddedToken>();

  constructor(entries: unknown) {
    if (entries !== undefined && entries !== null && !Array.isArray(entries))
      throw invalid('added_tokens is not a list.');
    for (const entry of entries ?? []) {
      const token = readAddedToken(entry);
      this.byContent.set(token.content, token);
      this.byId.set(token.id, token);
    }
  }

  /** A control token that the tokenizer itself does not know; does nothing where it does. */
  addMissing(content: string, id: number): void {
    if (this.byContent.has(content)) return;
    const token: AddedToken = {
      id,
      content,
      isSpecial: true,
      stripsLeft: false,
      stripsRight: false,
      isSingleWord: false,
    };
    this.byContent.set(content, token);
    if (!this.byId.has(id)) this.byId.set(id, token);
  }

  /** Spellings of the control tokens. */
  specialSpellings(): string[] {
    return [...this.byContent.values()].filter((token) => token.isSpecial).map((token) => token.content);
  }
}
