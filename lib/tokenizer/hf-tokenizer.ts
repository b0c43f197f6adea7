import * as library from '@huggingface/tokenizers';
import { SensoriumError } from '../errors.js';
import { orderMarks } from './mark-order.js';

interface Normalizer {
  normalize(text: string): string;
}

/** The parts of the library's tokenizer that are used here; its own declarations do not resolve in ES modules. */
export interface HfTokenizer {
  normalizer: Normalizer | null;
  pre_tokenizer: { pre_tokenize(text: string, options: { section_index: number }): string[] } | null;
  post_processor: {
    post_process(tokens: string[], pair: null, addSpecialTokens: boolean): { tokens: string[] };
  } | null;
}

/** Words are merged elsewhere: the library holds the event loop over a long one. */
const NO_MODEL = { type: 'BPE', vocab: {}, merges: [] };

const { Tokenizer } = library as unknown as {
  Tokenizer: new (tokenizerJson: object, tokenizerConfig: object) => HfTokenizer;
};

/** GPT-2's words. The library's own pattern takes U+FEFF for a blank and U+0085 for none. */
const GPT2_WORDS = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;

/** A pre-tokenizer whose byte level is cut into words by the pattern above. */
function withOwnWords(config: unknown): unknown {
  if (typeof config !== 'object' || config === null) return config;
  const { type, use_regex, add_prefix_space, pretokenizers } = config as Record<string, unknown>;
  if (type === 'Sequence' && Array.isArray(pretokenizers))
    return { ...config, pretokenizers: pretokenizers.map(withOwnWords) };
  // A blank in front is put there before words are cut, which the library does in one step.
  if (type !== 'ByteLevel' || use_regex === false || add_prefix_space === true) return config;
  const words = { type: 'Split', pattern: { Regex: GPT2_WORDS }, behavior: 'Isolated', invert: false };
  return { type: 'Sequence', pretokenizers: [words, { ...config, use_regex: false }] };
}

const UNICODE_FORM = /"type":"NFK?[CD]"/;

/** A normalizer whose time is linear in the text's length, whatever the text. */
function bound(normalizer: Normalizer | null, config: unknown): Normalizer | null {
  if (normalizer === null || !UNICODE_FORM.test(JSON.stringify(config))) return normalizer;
  return { normalize: (text) => normalizer.normalize(orderMarks(text)) };
}

/** Throws `invalid_checkpoint` for contents that make no tokenizer. */
export function createHfTokenizer(
  tokenizerJson: Record<string, unknown>,
  tokenizerConfig: Record<string, unknown>,
): HfTokenizer {
  const { post_processor = null, pre_tokenizer = null, normalizer = null } = tokenizerJson;
  const parts = { post_processor, pre_tokenizer: withOwnWords(pre_tokenizer), normalizer };
  const complete = { ...parts, decoder: null, model: NO_MODEL, added_tokens: [] };
  try {
    const parsed = new Tokenizer(complete, tokenizerConfig);
    return {
      normalizer: bound(parsed.normalizer, normalizer),
      pre_tokenizer: parsed.pre_tokenizer,
      post_processor: parsed.post_processor,
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SensoriumError('invalid_checkpoint', `tokenizer.json cannot be used: ${reason}`, {
      cause: error,
    });
  }
}
