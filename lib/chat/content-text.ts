import { SensoriumError } from '../errors.js';
import type { Modality } from '../media/types.js';
import type { PlaceholderTokens } from '../processors/types.js';
import type { ContentPart } from '../request/types.js';
import type { Neutraliser } from './neutralise.js';

export type Placeholders = Partial<Record<Modality, PlaceholderTokens>>;

/** Where media stand in a text-format template: among the texts, or all of them before the text. */
export type MediaOrder = 'interleaved' | 'first';

function countOf(text: string, spelling: string): number {
  return spelling === '' ? 0 : text.split(spelling).length - 1;
}

/**
 * One message's parts as the text that a text-format template takes, one part a line. Whole placeholders of modalities
 * that the message has media of count where the user typed them; all else that spells a control token is neutralised.
 */
export class ContentText {
  constructor(
    private readonly neutraliser: Neutraliser,
    private readonly placeholders: Placeholders,
    private readonly order: MediaOrder,
  ) {}

  /** Throws `placeholder_mismatch`, naming `param`, when more placeholders are typed than there are media. */
  write(parts: readonly ContentPart[], param: string): string {
    const spellings = parts.flatMap((part) =>
      part.type === 'media' ? [this.spell(part.media.modality)] : [],
    );
    const kept = new Set(spellings.filter((spelling) => spelling !== ''));
    const lines = parts.flatMap((part) => {
      if (part.type === 'text') return [this.text(part.text, kept)];
      return this.order === 'interleaved' ? [this.spell(part.media.modality)] : [];
    });
    const text = lines.join('\n');
    const missing = [...kept].flatMap((spelling) => {
      const numWanted = spellings.filter((other) => other === spelling).length;
      const numMissing = numWanted - countOf(text, spelling);
      if (numMissing < 0) throw tooManyTyped(spelling, param);
      return Array.from({ length: numMissing }, () => spelling);
    });
    return [...missing, ...(text === '' ? [] : [text])].join('\n');
  }

  private spell(modality: Modality): string {
    return this.placeholders[modality]?.spelling ?? '';
  }

  /** A text with everything neutralised but the kept spellings. */
  private text(text: string, kept: ReadonlySet<string>): string {
    const [spelling, ...others] = kept;
    if (spelling === undefined) return this.neutraliser.text(text);
    const rest = new Set(others);
    return text
      .split(spelling)
      .map((piece) => this.text(piece, rest))
      .join(spelling);
  }
}

function tooManyTyped(spelling: string, param: string): SensoriumError {
  const message = `Found more '${spelling}' placeholders in input prompt than actual multimodal data items.`;
  return new SensoriumError('placeholder_mismatch', message, { param });
}
