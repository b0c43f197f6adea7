import * as library from '@huggingface/tokenizers';
import { SensoriumError } from '../errors.js';

/** The parts of the library's tokenizer that are used here; its own declarations do not resolve in ES modules. */
export interface HfTokenizer {
  normalizer: { normalize(text: string): string } | null;
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

/** Throws `invalid_checkpoint` for contents that make no tokenizer. */
export function createHfTokenizer(
  tokenizerJson: Record<string, unknown>,
  tokenizerConfig: Record<string, unknown>,
): HfTokenizer {
  const { post_processor = null, pre_tokenizer = null, normalizer = null } = tokenizerJson;
  const parts = { post_processor, pre_tokenizer, normalizer };
  const complete = { ...parts, decoder: null, model: NO_MODEL, added_tokens: [] };
  try {
    return new Tokenizer(complete, tokenizerConfig);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SensoriumError('invalid_checkpoint', `tokenizer.json cannot be used: ${reason}`, {
      cause: error,
    });
  }
}
