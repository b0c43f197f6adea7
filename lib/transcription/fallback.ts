import type { DecodedWindow } from './types.js';

/** Temperatures that are tried one after the other. */
export const FALLBACK_TEMPERATURES: readonly number[] = [0, 0.2, 0.4, 0.6, 0.8, 1];

/** Whisper's thresholds. */
const MAX_COMPRESSION_RATIO = 2.4;
const MIN_AVG_LOGPROB = -1;
const MIN_NO_SPEECH_PROBABILITY = 0.6;

/** Whether a result is so repetitive or unlikely that a higher temperature may do better. */
export function needsFallback({ compressionRatio, avgLogprob }: DecodedWindow): boolean {
  return compressionRatio > MAX_COMPRESSION_RATIO || avgLogprob < MIN_AVG_LOGPROB;
}

/** Where no temperature gives an acceptable result: the likeliest of those that do not repeat themselves, else the first. */
export function leastBad(results: readonly DecodedWindow[]): DecodedWindow | undefined {
  const varied = results.filter(({ compressionRatio }) => compressionRatio <= MAX_COMPRESSION_RATIO);
  return varied.toSorted((a, b) => b.avgLogprob - a.avgLogprob)[0] ?? results[0];
}

/** Whether a result is so unlikely that it matters how likely there is no speech at all. */
export function isDoubtful({ avgLogprob }: DecodedWindow): boolean {
  return avgLogprob < MIN_AVG_LOGPROB;
}

export function isSilent(noSpeechProbability: number): boolean {
  return noSpeechProbability > MIN_NO_SPEECH_PROBABILITY;
}
