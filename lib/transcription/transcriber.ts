import { randomUUID } from 'node:crypto';
import { SensoriumError } from '../errors.js';
import type { KeyedItem, SpeechFeatures, SpeechProcessor } from '../processors/types.js';
import type { SamplingOptions } from '../request/types.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { FALLBACK_TEMPERATURES, isDoubtful, isSilent, leastBad, needsFallback } from './fallback.js';
import type { AlignmentHeads } from './alignment-heads.js';
import { languageCode } from './languages.js';
import { cutAtTimestamps, type WindowSegments } from './segments.js';
import { decoderPrompt, decodingRules, type SpeechTokens } from './speech-tokens.js';
import type {
  DecodedWindow,
  SpeechTask,
  Transcription,
  TranscriptionOptions,
  TranscriptionSegment,
  TranscriptionWord,
} from './types.js';
import { WindowDecoder, type Submit } from './window-decoder.js';
import { WordAligner, type Align } from './word-aligner.js';

export interface TranscriberParts {
  tokenizer: Tokenizer;
  tokens: SpeechTokens;
  speech: SpeechProcessor;
  /** Prompt and answer of a window together, in tokens. */
  maxModelLen: number;
  /** Undefined: words have no times. */
  alignment: AlignmentHeads | undefined;
}

/** What belongs to one transcription. */
export interface TranscriptionContext {
  submit: Submit;
  align: Align;
  requestId: string;
  cacheSalt: string;
  signal?: AbortSignal | undefined;
  /** Told text as it becomes certain. */
  onText?: ((text: string) => void) | undefined;
}

/** Whisper's encoder halves the number of frames. */
const MEL_FRAMES_PER_ROW = 2;

/** Writes down speech. One a model; safe for many requests. */
export class Transcriber {
  constructor(private readonly parts: TranscriberParts) {}

  /** What can be refused before any sound is there. Throws `invalid_value` or `not_supported`, naming the option. */
  check(options: TranscriptionOptions): void {
    const { tokens, alignment } = this.parts;
    const { task = 'transcribe', language } = options;
    if (language !== undefined) this.knownLanguage(language);
    if (task === 'translate' && (tokens.languages.size === 0 || tokens.tasks.translate === undefined)) {
      throw new SensoriumError('unsupported_task', 'This model knows English only: it does not translate.');
    }
    if (options.hasWordTimestamps === true && alignment === undefined) {
      const message =
        "This model does not tell when words are spoken: its files' alignment_heads or median_filter_width do not fit it.";
      throw new SensoriumError('not_supported', message, { param: 'hasWordTimestamps' });
    }
  }

  /** Writes down a sound of `duration` seconds, window by window. */
  transcribe(
    features: SpeechFeatures,
    duration: number,
    options: TranscriptionOptions,
    context: TranscriptionContext,
  ): Promise<Transcription> {
    this.check(options);
    const language = options.language === undefined ? undefined : this.knownLanguage(options.language);
    return new RunningTranscription(this.parts, features, options, context).run(duration, language);
  }

  /** The language's code. Throws `invalid_value` for one that the model has no token for. */
  private knownLanguage(language: string): string {
    const { languages } = this.parts.tokens;
    const code = languageCode(language) ?? language;
    if (languages.has(code) || (languages.size === 0 && code === 'en')) return code;
    const known = languages.size === 0 ? 'en' : [...languages.keys()].join(', ');
    const message = `language '${language.slice(0, 64)}' is not one that this model knows: ${known}.`;
    throw new SensoriumError('invalid_value', message, { param: 'language' });
  }
}

class RunningTranscription {
  private readonly decoder: WindowDecoder;
  /** Names this sound's windows in the encoder cache. Request ids would not do: callers may use one twice. */
  private readonly mediaKey = `transcription/${randomUUID()}`;
  private readonly task: SpeechTask;
  private readonly hasTimestamps: boolean;
  private readonly previous: readonly number[];
  private readonly aligner: WordAligner | undefined;
  private readonly segments: TranscriptionSegment[] = [];
  private readonly words: TranscriptionWord[] = [];
  private readonly usage = { promptTokens: 0, completionTokens: 0 };

  constructor(
    private readonly parts: TranscriberParts,
    private readonly features: SpeechFeatures,
    private readonly options: TranscriptionOptions,
    private readonly context: TranscriptionContext,
  ) {
    const { tokenizer, tokens, speech, alignment, maxModelLen } = parts;
    this.decoder = new WindowDecoder({ ...context, tokenizer, tokens });
    if (options.hasWordTimestamps === true && alignment !== undefined) {
      this.aligner = new WordAligner({ ...context, ...alignment, tokenizer, tokens, maxModelLen });
    }
    this.task = options.task ?? 'transcribe';
    // Only timestamps tell where a window's last whole sentence ends.
    this.hasTimestamps = options.hasTimestamps === true || features.numSoundFrames > speech.windowFrames;
    this.previous = this.encodePrompt();
  }

  async run(duration: number, knownLanguage: string | undefined): Promise<Transcription> {
    const { numSoundFrames } = this.features;
    const language = knownLanguage ?? (await this.detectLanguage());
    for (let seek = 0; seek < numSoundFrames && this.numTokensLeft() > 0;) {
      seek += await this.withWindow(seek, (window) => this.transcribeWindow(window, seek, language));
    }
    const { task, segments, usage } = this;
    const text = segments.map((segment) => segment.text).join('');
    const words = this.aligner === undefined ? undefined : { words: this.words };
    return { text, task, language, duration, segments, ...words, usage };
  }

  /** The last tokens of the text that comes before: half of what a window has room for. */
  private encodePrompt(): number[] {
    const { prompt } = this.options;
    const { tokenizer, tokens, maxModelLen } = this.parts;
    if (prompt === undefined || prompt.trim() === '' || tokens.startOfPrevious === undefined) return [];
    return tokenizer.encodePlain(` ${prompt.trim()}`).slice(-(Math.floor(maxModelLen / 2) - 1));
  }

  private numTokensLeft(): number {
    return (this.options.maxTokens ?? Infinity) - this.usage.completionTokens;
  }

  /** Lends the window at `seek`; its memory is given back afterwards. */
  private async withWindow<T>(seek: number, use: (window: KeyedItem) => Promise<T>): Promise<T> {
    const item = this.parts.speech.window(this.features, seek);
    try {
      return await use({ ...item, key: `${this.mediaKey}/${seek}` });
    } finally {
      if (item.media !== this.features.media) item.media.dispose();
    }
  }

  private async detectLanguage(): Promise<string> {
    const { languages, startOfTranscript } = this.parts.tokens;
    if (languages.size === 0) return 'en';
    const { tokenId } = await this.withWindow(0, (window) =>
      this.decoder.choose(window, [startOfTranscript], [...languages.values()]),
    );
    return [...languages].find(([, id]) => id === tokenId)?.[0] ?? 'en';
  }

  /** Returns how many frames further the next window begins. */
  private async transcribeWindow(window: KeyedItem, seek: number, language: string): Promise<number> {
    const { speech, tokens } = this.parts;
    const numFrames = Math.min(speech.windowFrames, this.features.numFrames - seek);
    const decoded = await this.decodeWindow(window, language);
    const noSpeechProbability = await this.noSpeechProbability(window, decoded);
    const mayBeSilent = this.options.temperature === undefined && isDoubtful(decoded);
    if (mayBeSilent && noSpeechProbability !== undefined && isSilent(noSpeechProbability)) return numFrames;
    const size = { numFrames, secondsPerFrame: speech.secondsPerFrame };
    const cut = this.hasTimestamps
      ? cutAtTimestamps(decoded.tokenIds, tokens.noTimestamps + 1, size)
      : {
          segments: [{ start: 0, end: this.soundSeconds(seek), tokens: decoded.tokenIds }],
          advance: numFrames,
        };
    for (const { start, end, tokens: segmentTokens } of cut.segments) {
      const offset = seek * speech.secondsPerFrame;
      this.addSegment(decoded, {
        seek,
        start: offset + start,
        end: offset + end,
        tokens: segmentTokens,
        noSpeechProbability: this.options.hasNoSpeechProbability === true ? noSpeechProbability : undefined,
      });
    }
    await this.addWords(window, seek, { ...cut, language });
    return cut.advance;
  }

  /** Words of a window's segments; those up to `advance` are its own, what lies behind is heard again. */
  private async addWords(
    window: KeyedItem,
    seek: number,
    { segments, advance, language }: WindowSegments & { language: string },
  ): Promise<void> {
    if (this.aligner === undefined) return;
    const secondsPerRow = MEL_FRAMES_PER_ROW * this.parts.speech.secondsPerFrame;
    const numSoundFrames = Math.min(advance, this.features.numSoundFrames - seek);
    const words = await this.aligner.wordsOf({
      window,
      numFrames: Math.max(1, Math.floor(numSoundFrames / MEL_FRAMES_PER_ROW)),
      segments: segments.map(({ tokens, start, end }) => ({
        tokens,
        start: start / secondsPerRow,
        end: end / secondsPerRow,
      })),
      language,
      task: this.task,
    });
    const secondsOf = (row: number): number => (seek / MEL_FRAMES_PER_ROW + row) * secondsPerRow;
    for (const { word, start, end } of words.flat()) {
      this.words.push({ word, start: secondsOf(start), end: secondsOf(end) });
    }
  }

  private soundSeconds(seek: number): number {
    return (this.features.numSoundFrames - seek) * this.parts.speech.secondsPerFrame;
  }

  private addSegment(
    { temperature, avgLogprob, compressionRatio }: DecodedWindow,
    rest: Pick<TranscriptionSegment, 'seek' | 'start' | 'end' | 'tokens' | 'noSpeechProbability'>,
  ): void {
    const text = this.decoder.textOf(rest.tokens);
    this.segments.push({
      id: this.segments.length,
      ...rest,
      text,
      temperature,
      avgLogprob,
      compressionRatio,
    });
    if (!this.isLive && text !== '') this.context.onText?.(text);
  }

  /** Whether every token is told at once: nothing of the window is heard or decoded again. */
  private get isLive(): boolean {
    return this.context.onText !== undefined && !this.hasTimestamps && this.options.temperature !== undefined;
  }

  private async decodeWindow(window: KeyedItem, language: string): Promise<DecodedWindow> {
    const { temperature } = this.options;
    const temperatures = temperature === undefined ? FALLBACK_TEMPERATURES : [temperature];
    const tried: DecodedWindow[] = [];
    for (const candidate of temperatures) {
      const decoded = await this.decodeAt(window, language, candidate);
      this.usage.promptTokens += decoded.usage.promptTokens;
      tried.push(decoded);
      if (!needsFallback(decoded)) break;
    }
    const last = tried.at(-1);
    const chosen = last !== undefined && !needsFallback(last) ? last : leastBad(tried);
    if (chosen === undefined) throw new SensoriumError('internal_error', 'No temperature was tried.');
    this.usage.completionTokens += chosen.usage.completionTokens;
    return chosen;
  }

  private decodeAt(window: KeyedItem, language: string, temperature: number): Promise<DecodedWindow> {
    const { tokens } = this.parts;
    const { task, hasTimestamps, previous } = this;
    const promptIds = decoderPrompt(tokens, { language, task, hasTimestamps, previous });
    return this.decoder.decode({
      window,
      promptIds,
      sampling: this.sampling(temperature, promptIds.length),
      constraints: { rules: decodingRules(tokens, hasTimestamps) },
      onText: this.isLive ? this.context.onText : undefined,
    });
  }

  private sampling(temperature: number, promptLength: number): SamplingOptions {
    const { topP, topK, minP, repetitionPenalty, frequencyPenalty, presencePenalty } = this.options;
    const { maxTokensPerWindow = Infinity, seed = 0 } = this.options;
    const room = this.parts.maxModelLen - promptLength;
    return {
      ...{ topP, topK, minP, repetitionPenalty, frequencyPenalty, presencePenalty },
      temperature,
      // The same sound gives the same text, at any temperature.
      seed,
      maxTokens: Math.min(room, maxTokensPerWindow, this.numTokensLeft()),
    };
  }

  /** Asked for, or needed to tell whether an unlikely text is none. */
  private async noSpeechProbability(window: KeyedItem, decoded: DecodedWindow): Promise<number | undefined> {
    const { noSpeech, startOfTranscript } = this.parts.tokens;
    const isNeeded =
      this.options.hasNoSpeechProbability === true ||
      (this.options.temperature === undefined && isDoubtful(decoded));
    if (!isNeeded || noSpeech === undefined) return undefined;
    const { logprob } = await this.decoder.choose(window, [startOfTranscript], [noSpeech]);
    return Math.exp(logprob);
  }
}
