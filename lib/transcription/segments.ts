import { SECONDS_PER_TIMESTAMP } from './speech-tokens.js';

/** A stretch of a window's tokens with its times, in seconds from the window's beginning. */
export interface WindowSegment {
  start: number;
  end: number;
  tokens: number[];
}

export interface WindowSegments {
  segments: WindowSegment[];
  /** Frames from this window's beginning to the next one's. */
  advance: number;
}

export interface WindowSize {
  numFrames: number;
  secondsPerFrame: number;
}

/**
 * Cuts a window's tokens at its pairs of timestamps and tells where the next window begins: behind the last pair, whose
 * speech is whole, or behind the window where no speech is cut. What follows the last pair is heard again.
 * Source: Whisper's own long-form rule.
 */
export function cutAtTimestamps(
  tokenIds: readonly number[],
  firstTimestampId: number,
  { numFrames, secondsPerFrame }: WindowSize,
): WindowSegments {
  const isTimestamp = (id: number | undefined): boolean => id !== undefined && id >= firstTimestampId;
  const secondsOf = (id: number | undefined): number =>
    ((id ?? firstTimestampId) - firstTimestampId) * SECONDS_PER_TIMESTAMP;
  const whole = { advance: numFrames, windowSeconds: numFrames * secondsPerFrame };
  const ends: number[] = [];
  for (let i = 1; i < tokenIds.length; i++) {
    if (isTimestamp(tokenIds[i - 1]) && isTimestamp(tokenIds[i])) ends.push(i);
  }
  if (ends.length === 0) {
    const last = tokenIds.findLast((id) => id > firstTimestampId);
    const end = last === undefined ? whole.windowSeconds : secondsOf(last);
    return { segments: [{ start: 0, end, tokens: [...tokenIds] }], advance: whole.advance };
  }
  const hasSingleEnd = isTimestamp(tokenIds.at(-1)) && !isTimestamp(tokenIds.at(-2));
  // The last pair's second timestamp is kept: it says that speech goes on.
  if (hasSingleEnd) ends.push(tokenIds.length);
  else ends[ends.length - 1] = (ends.at(-1) as number) + 1;
  const segments = ends.map((end, i) => {
    const tokens = tokenIds.slice(i === 0 ? 0 : ends[i - 1], end);
    const isLastOfPairs = i === ends.length - 1 && !hasSingleEnd;
    return { start: secondsOf(tokens[0]), end: secondsOf(tokens.at(isLastOfPairs ? -2 : -1)), tokens };
  });
  if (hasSingleEnd) return { segments, advance: whole.advance };
  const framesPerTimestamp = Math.round(SECONDS_PER_TIMESTAMP / secondsPerFrame);
  const lastEnd = (tokenIds[(ends.at(-1) as number) - 2] as number) - firstTimestampId;
  // A pair at the very beginning would hear the same window for ever.
  return { segments, advance: lastEnd > 0 ? lastEnd * framesPerTimestamp : whole.advance };
}
