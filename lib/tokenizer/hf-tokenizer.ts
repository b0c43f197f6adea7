import * as library from '@huggingface/tokenizers';
import { SensoriumError } from '../errors.js';

/** The parts of the library's tokenizer that are used here; its own declarations do not resolve in ES modules. */
export interface HfTokenizer {
  normalizer: { normalize(text: string): string } | null;
  pre_tokenizer: { pre_tokenize(text: string, options: { section_index: number }): string[] } | null;
  model: HfModel | null;
  post_processor: {
    post_process(tokens: string[], pair: null, addSpecialTokens: boolean): { tokens: string[] };
  } | null;
}

export interface HfModel {
  vocab: (string | undefined)[];
  tokens_to_ids: Map<string, number>;
  unk_token_id?: number | undefined;
  /** Whether neighbouring unknown tokens become one. */
  fuse_unk: boolean;
  /** Words to tokens. */
  _call(words: string[]): string[];
}

const { Tokenizer } = library as unknown as {
  Tokenizer: new (tokenizerJson: object, tokenizerConfig: object) => HfTokenizer;
};

/** Throws `invalid_checkpoint` for contents that make no tokenizer. */
export function createHfTokenizer(
  tokenizerJson: Record<string, unknown>,
  tokenizerConfig: Record<string, unknown>,
): HfTokenizer {
  const complete = { post_processor: null, pre_tokenizer: null, normalizer: null, ...tokenizerJson };
  try {
    return new Tokenizer(complete, tokenizerConfig);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SensoriumError('invalid_checkpoint', `tokenizer.json cannot be used: ${reason}`, {
      cause: error,
    });
  }
}
