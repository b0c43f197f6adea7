import type { RequestResult } from '../engine/types.js';

export type SpeechTask = 'transcribe' | 'translate';

export interface TranscriptionOptions {
  /** `translate`: into English. Default `transcribe`. */
  task?: SpeechTask | undefined;
  /** ISO 639-1 code or English name of the spoken language. Absent: told from the first window. */
  language?: string | undefined;
  /** Text that comes before, for names and style; the model takes its last 223 tokens. */
  prompt?: string | undefined;
  /** Segments with times; else only where the sound is longer than one window. */
  hasTimestamps?: boolean | undefined;
  /** Whether words are told with their times; costs a further pass over each window. Default false. */
  hasWordTimestamps?: boolean | undefined;
  /**
   * Absent: greedy, and where the result is repetitive or unlikely again at higher temperatures (0.2 to 1.0), with
   * windows without speech left out. Given: as it is.
   */
  temperature?: number | undefined;
  topP?: number | undefined;
  topK?: number | undefined;
  minP?: number | undefined;
  repetitionPenalty?: number | undefined;
  frequencyPenalty?: number | undefined;
  presencePenalty?: number | undefined;
  seed?: number | undefined;
  /** Most tokens of the whole transcription. */
  maxTokens?: number | undefined;
  /** Most tokens of one window. */
  maxTokensPerWindow?: number | undefined;
  /** Whether each segment tells how likely there is no speech; costs a further pass over each window. Default false. */
  hasNoSpeechProbability?: boolean | undefined;
}

/** A stretch of speech. Times in seconds from the beginning of the sound. */
export interface TranscriptionSegment {
  id: number;
  /** First mel frame of its window (10 ms each). */
  seek: number;
  start: number;
  end: number;
  text: string;
  /** Token ids, timestamps among them. */
  tokens: number[];
  temperature: number;
  /** Mean log-probability of the window's tokens. */
  avgLogprob: number;
  /** Length of the window's text by that of its deflated form: repetitions make it large. */
  compressionRatio: number;
  noSpeechProbability?: number | undefined;
}

/** A word with the blank before it and the punctuation around it. Times in seconds from the beginning of the sound. */
export interface TranscriptionWord {
  word: string;
  start: number;
  end: number;
}

export interface Transcription {
  text: string;
  task: SpeechTask;
  /** ISO 639-1 code of the spoken language. */
  language: string;
  /** Seconds of sound. */
  duration: number;
  segments: TranscriptionSegment[];
  /** Where asked for: joined they are the text; their times ascend. */
  words?: TranscriptionWord[] | undefined;
  usage: { promptTokens: number; completionTokens: number };
}

/** What a stream of a transcription tells. */
export type TranscriptionEvent =
  { type: 'delta'; text: string } | { type: 'done'; transcription: Transcription };

/** One pass of the decoder over a window. */
export interface DecodedWindow {
  tokenIds: number[];
  text: string;
  avgLogprob: number;
  compressionRatio: number;
  temperature: number;
  usage: RequestResult['usage'];
}
