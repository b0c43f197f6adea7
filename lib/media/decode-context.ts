import type { FrameResizer } from '../processors/types.js';
import type { ItemLimit, MediaPolicy } from './types.js';

/** What every decoder is given: limits, the right to memory, and when to stop. */
export interface DecodeContext {
  policy: MediaPolicy;
  /** What one item of the modality may be at most. */
  itemLimit?: ItemLimit | undefined;
  /** What makes the frames of a clip smaller while they are decoded. */
  frameResizer?:
    ((size: { width: number; height: number }, numFrames: number) => FrameResizer | undefined) | undefined;
  signal?: AbortSignal | undefined;
  /** Waits until `numBytes` of decoded media may be held. Called once a medium, before anything is allocated. */
  reserve(numBytes: number): Promise<void>;
}

/** The same limits, for decoders whose memory their caller has reserved already. */
export function withoutReservation(context: DecodeContext): DecodeContext {
  return { ...context, reserve: () => Promise.resolve() };
}
