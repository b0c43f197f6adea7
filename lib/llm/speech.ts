import { randomUUID } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { readPayload } from '../chat/media-source.js';
import { throwIfAborted } from '../engine/engine.js';
import { SensoriumError } from '../errors.js';
import type { MediaResolver } from '../media/resolver.js';
import type { SpeechFeatures, SpeechProcessor } from '../processors/types.js';
import { TextQueue } from '../transcription/text-queue.js';
import type { Transcriber } from '../transcription/transcriber.js';
import type { Transcription, TranscriptionEvent, TranscriptionOptions } from '../transcription/types.js';
import type { Submit } from '../transcription/window-decoder.js';
import type { Align } from '../transcription/word-aligner.js';
import { checkOptionNames } from './option-names.js';
import type { AudioInput, TranscribeOptions } from './types.js';

const OPTION_NAMES: ReadonlySet<string> = new Set<keyof TranscribeOptions>([
  'task',
  'language',
  'prompt',
  'hasTimestamps',
  'hasWordTimestamps',
  'temperature',
  'topP',
  'topK',
  'minP',
  'repetitionPenalty',
  'frequencyPenalty',
  'presencePenalty',
  'seed',
  'maxTokens',
  'maxTokensPerWindow',
  'hasNoSpeechProbability',
  'requestId',
  'cacheSalt',
  'signal',
]);

export interface SpeechParts {
  transcriber: Transcriber;
  speech: SpeechProcessor;
  resolver: MediaResolver;
  submit: Submit;
  align: Align;
}

/** Checks the options by themselves. Throws `invalid_option`, `invalid_type`, `invalid_value`. */
function checkOptions(options: TranscribeOptions): void {
  checkOptionNames(options, OPTION_NAMES);
  const { task, language, prompt } = options;
  for (const [name, value] of Object.entries({ language, prompt })) {
    if (value === undefined || typeof value === 'string') continue;
    throw new SensoriumError('invalid_type', `${name} must be a string.`, { param: name });
  }
  if (task !== undefined && task !== 'transcribe' && task !== 'translate') {
    throw new SensoriumError('invalid_value', 'task must be transcribe or translate.', { param: 'task' });
  }
  for (const name of ['maxTokens', 'maxTokensPerWindow'] as const) {
    const value: unknown = options[name];
    if (value === undefined || (Number.isInteger(value) && (value as number) >= 1)) continue;
    throw new SensoriumError('invalid_value', `${name} must be an integer of at least 1.`, { param: name });
  }
}

/** Decodes a sound, listens to it and writes it down. */
export async function transcribe(
  parts: SpeechParts,
  audio: AudioInput,
  options: TranscribeOptions,
  onText?: (text: string) => void,
): Promise<Transcription> {
  checkOptions(options);
  const { signal, cacheSalt = '', requestId = `trsc-${randomUUID()}`, ...rest } = options;
  throwIfAborted(signal);
  // One signal ends every pass over every window.
  if (signal !== undefined) setMaxListeners(0, signal);
  parts.transcriber.check(rest);
  const source = readPayload(audio, { modality: 'audio', param: 'audio', isStrict: false, mayBePath: true });
  const part = { modality: 'audio' as const, source, param: 'audio' };
  const { features, duration } = await parts.resolver.withSound(
    part,
    { tenant: cacheSalt, signal },
    async (sound): Promise<{ features: SpeechFeatures; duration: number }> => ({
      features: await parts.speech.analyse(sound),
      duration: sound.samples.length / sound.samplingRate,
    }),
  );
  const { submit, align } = parts;
  const context = { submit, align, requestId, cacheSalt, signal, onText };
  try {
    return await parts.transcriber.transcribe(
      features,
      duration,
      rest satisfies TranscriptionOptions,
      context,
    );
  } finally {
    features.media.dispose();
  }
}

/** `transcribe` as it goes on. Leaving the loop ends it. */
export async function* transcribeStream(
  run: (options: TranscribeOptions, onText: (text: string) => void) => Promise<Transcription>,
  options: TranscribeOptions,
): AsyncGenerator<TranscriptionEvent, void> {
  const left = new AbortController();
  const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
  const queue = new TextQueue();
  const done = run({ ...options, signal }, (text) => queue.push(text)).finally(() => queue.end());
  // A failure is thrown below; without a reader it is nobody's.
  done.catch(() => undefined);
  try {
    for await (const text of queue) yield { type: 'delta', text };
    yield { type: 'done', transcription: await done };
  } finally {
    left.abort();
  }
}
