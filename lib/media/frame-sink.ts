import type { FrameResizer } from '../processors/types.js';
import { PpmFrames } from './ppm-frames.js';

export interface FrameSize {
  width: number;
  height: number;
}

/** Frames of the clip's own size that are held at once where they become smaller. */
export const MAX_FRAMES_IN_WORK = 8;

/** Gathers the frames of a clip as they are decoded, each made smaller at once where something does so. */
export class FrameSink {
  /** Of the gathered frames; 0 before the first. */
  width = 0;
  height = 0;
  private readonly frames: Promise<Uint8Array>[] = [];
  private readonly pictures: PpmFrames;
  private resizer: FrameResizer | undefined;
  private numInWork = 0;

  /** `numPixels`: of every frame. */
  constructor(
    maxFrames: number,
    numPixels: number,
    private readonly resizerOf: (size: FrameSize) => FrameResizer | undefined = () => undefined,
  ) {
    this.pictures = new PpmFrames(maxFrames, numPixels, (frame, size) => this.take(frame, size));
  }

  /** Takes output of ffmpeg; a promise asks it to wait. Throws `invalid_video`. */
  push(chunk: Buffer): Promise<unknown> | undefined {
    this.pictures.push(chunk);
    // The frame that comes next is being filled already.
    return this.numInWork >= MAX_FRAMES_IN_WORK - 1
      ? Promise.all(this.frames.slice(-MAX_FRAMES_IN_WORK))
      : undefined;
  }

  /** All frames, in order. Rejects with what making them smaller threw. */
  finish(): Promise<Uint8Array[]> {
    return Promise.all(this.frames);
  }

  private take(frame: Uint8Array, size: FrameSize): void {
    if (this.frames.length === 0) {
      this.resizer = this.resizerOf(size);
      ({ width: this.width, height: this.height } = this.resizer ?? size);
    }
    if (this.resizer === undefined) {
      this.frames.push(Promise.resolve(frame));
      return;
    }
    this.numInWork++;
    const work = this.resizer.resize(frame).finally(() => this.numInWork--);
    // Whoever waits for the frames is told; a run that ended before must not end the process.
    work.catch(() => undefined);
    this.frames.push(work);
  }
}
