import { SensoriumError } from '../errors.js';
import type { Modality } from '../media/types.js';
import type { PlaceholderTokens } from '../processors/types.js';
import type { ContentPart } from '../request/types.js';
import { SpellingTrie } from '../tokenizer/spelling-trie.js';
import type { Neutraliser } from './neutralise.js';

export type Placeholders = Partial<Record<Modality, PlaceholderTokens>>;

/** Where media stand in a text-format template: among the texts, or all of them before the text. */
export type MediaOrder = 'interleaved' | 'first';

/** One part, written. */
interface Piece {
  text: string;
  /** May share its line with other pieces. */
  isInline: boolean;
  /** Of a placeholder. */
  modality?: Modality | undefined;
}

/** Pieces on lines of their own; inline ones share the line of what stands beside them. */
function joinPieces(pieces: readonly Piece[]): string {
  return pieces
    .map(({ text, isInline }, i) => {
      const before = pieces[i - 1];
      const isOnSameLine = before === undefined || before.isInline || isInline;
      return (isOnSameLine ? '' : '\n') + text;
    })
    .join('');
}

/**
 * The parts of messages as the text that a text-format template takes, in the order of the conversation. Whole
 * placeholders of a message's own media count where the user typed them; all else that spells a control token is
 * neutralised.
 */
export class ContentText {
  private readonly numItems: Record<Modality, number> = { image: 0, video: 0, audio: 0 };

  constructor(
    private readonly neutraliser: Neutraliser,
    private readonly placeholders: Placeholders,
    private readonly order: MediaOrder,
  ) {}

  /** Throws `placeholder_mismatch`, naming `param`, when more placeholders are typed than there are media. */
  write(parts: readonly ContentPart[], param: string): string {
    const media = parts.flatMap((part) =>
      part.type === 'media' ? [this.placeholder(part.media.modality)] : [],
    );
    const found = new PlaceholderCounts(media.map(({ text }) => text).filter((spelling) => spelling !== ''));
    let numWritten = 0;
    const pieces = parts.flatMap((part): Piece[] => {
      if (part.type === 'text') return [{ text: this.text(part.text, found), isInline: false }];
      const placeholder = media[numWritten++];
      if (this.order === 'first' || placeholder === undefined) return [];
      found.add(placeholder.text);
      return [placeholder];
    });
    const text = joinPieces(pieces);
    const modalities = new Set(parts.flatMap((part) => (part.type === 'media' ? [part.media.modality] : [])));
    const byModality = [...modalities].flatMap((modality) =>
      media.filter((piece) => piece.modality === modality),
    );
    const missing = found.takeMissing(byModality, param);
    return joinPieces([...missing, ...(text === '' ? [] : [{ text, isInline: false }])]);
  }

  /** How the next item of a modality is spelled. */
  private placeholder(modality: Modality): Piece {
    const { spelling = '', isInline = false } = this.placeholders[modality] ?? {};
    const number = ++this.numItems[modality];
    return { text: spelling.replaceAll('{n}', String(number)), isInline, modality };
  }

  /** A text with everything neutralised but the placeholders that count. */
  private text(text: string, found: PlaceholderCounts): string {
    return found.spellings
      .split(text)
      .map((piece) => {
        if (!piece.isSpelling) return this.neutraliser.text(piece.text);
        found.add(piece.text);
        return piece.text;
      })
      .join('');
  }
}

/** How often each placeholder of a message was found in it. */
class PlaceholderCounts {
  readonly spellings: SpellingTrie;
  private readonly counts = new Map<string, number>();

  constructor(spellings: readonly string[]) {
    this.spellings = new SpellingTrie(spellings);
  }

  add(spelling: string): void {
    this.counts.set(spelling, (this.counts.get(spelling) ?? 0) + 1);
  }

  /** The placeholders that were not found. Throws `placeholder_mismatch` when one was found too often. */
  takeMissing(wanted: readonly Piece[], param: string): Piece[] {
    const missing = wanted.filter(({ text }) => {
      const numLeft = this.counts.get(text) ?? 0;
      if (numLeft > 0) this.counts.set(text, numLeft - 1);
      return numLeft === 0;
    });
    for (const [spelling, numLeft] of this.counts) {
      if (numLeft === 0) continue;
      const message = `Found more '${spelling}' placeholders in input prompt than actual multimodal data items.`;
      throw new SensoriumError('placeholder_mismatch', message, { param });
    }
    return missing;
  }
}
