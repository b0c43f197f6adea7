import { deflateSync } from 'node:zlib';
import type { GenerationRequest, OutputDelta, RequestResult, RunningRequest } from '../engine/types.js';
import type { NativeSampling } from '../native/addon.js';
import type { KeyedItem } from '../processors/types.js';
import type { SamplingOptions } from '../request/types.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import type { SpeechTokens } from './speech-tokens.js';
import type { DecodedWindow } from './types.js';

/** Submits to the engine; the model's owner may look at every request that way. */
export type Submit = (request: GenerationRequest) => Promise<RunningRequest>;

/** One pass: a prompt over a window. */
export interface WindowPass {
  window: KeyedItem;
  promptIds: readonly number[];
  sampling: SamplingOptions;
  constraints: Pick<NativeSampling, 'allowedIds' | 'rules'>;
  /** Called with the text that each step adds, without timestamps. */
  onText?: ((text: string) => void) | undefined;
}

export interface WindowDecoderParts {
  tokenizer: Tokenizer;
  tokens: SpeechTokens;
  submit: Submit;
  requestId: string;
  cacheSalt: string;
  signal?: AbortSignal | undefined;
}

/** Runs the decoder over windows of sound. */
export class WindowDecoder {
  private numPasses = 0;

  constructor(private readonly parts: WindowDecoderParts) {}

  /** Text and tokens of a window, without the end token. */
  async decode(pass: WindowPass): Promise<DecodedWindow> {
    const { endOfText } = this.parts.tokens;
    const result = await this.run({ ...pass, sampling: { ...pass.sampling, logprobs: 0 } });
    const output = result.outputs[0];
    const all = output?.tokenIds ?? [];
    const tokenIds = all.at(-1) === endOfText ? all.slice(0, -1) : all;
    const sum = (output?.logprobs ?? []).reduce((total, { logprob }) => total + logprob, 0);
    const text = this.textOf(tokenIds);
    return {
      tokenIds,
      text,
      // The end token counts, whether it came or not.
      avgLogprob: sum / (tokenIds.length + 1),
      compressionRatio: compressionRatio(text),
      temperature: pass.sampling.temperature ?? 0,
      usage: result.usage,
    };
  }

  /** The likeliest of `allowedIds` as the next token, and its logarithmic probability among all tokens. */
  async choose(
    window: KeyedItem,
    promptIds: readonly number[],
    allowedIds: number[],
  ): Promise<{ tokenId: number; logprob: number }> {
    const sampling: SamplingOptions = { temperature: 0, maxTokens: 1, logprobs: 0, ignoreEos: true };
    const { outputs } = await this.run({ window, promptIds, sampling, constraints: { allowedIds } });
    const logprob = outputs[0]?.logprobs?.[0]?.logprob ?? -Infinity;
    return { tokenId: outputs[0]?.tokenIds[0] ?? -1, logprob };
  }

  /** A text's words: timestamps and control tokens are left out. */
  textOf(tokenIds: readonly number[]): string {
    const { tokenizer, tokens } = this.parts;
    return tokenizer.decode(tokenIds.filter((id) => id < tokens.noTimestamps));
  }

  private async run({
    window,
    promptIds,
    sampling,
    constraints,
    onText,
  }: WindowPass): Promise<RequestResult> {
    const { submit, requestId, cacheSalt, signal } = this.parts;
    const running = await submit({
      requestId: `${requestId}-${this.numPasses++}`,
      prompt: {
        promptIds: Int32Array.from(promptIds),
        media: [{ item: window, runs: [], isInterleavedWithAudio: false }],
        numTokensByModality: { image: 0, video: 0, audio: 0 },
      },
      sampling,
      constraints,
      cacheSalt,
      signal,
    });
    if (onText !== undefined) await this.follow(running, onText);
    return running.result();
  }

  private async follow(running: AsyncIterable<OutputDelta>, onText: (text: string) => void): Promise<void> {
    const { tokenizer, tokens } = this.parts;
    const detokenizer = tokenizer.createDetokenizer(true);
    for await (const { tokenIds } of running) {
      const spoken = tokenIds.filter((id) => id < tokens.noTimestamps);
      const text = spoken.map((id) => detokenizer.push(id)).join('');
      if (text !== '') onText(text);
    }
    const rest = detokenizer.flush();
    if (rest !== '') onText(rest);
  }
}

/** Length of a text by that of its deflated form, both as bytes. */
export function compressionRatio(text: string): number {
  const bytes = Buffer.from(text);
  return bytes.length === 0 ? 0 : bytes.length / deflateSync(bytes).length;
}
