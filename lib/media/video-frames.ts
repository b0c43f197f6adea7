import type { FrameResizer } from '../processors/types.js';
import type { DecodeContext } from './decode-context.js';
import { invalidMedia } from './failure.js';
import { isFirstSince, isOneOf } from './frame-expressions.js';
import { inputOptions, passThroughOptions, runProgram } from './ffmpeg.js';
import type { VideoStream } from './ffprobe.js';
import { FrameSink, type FrameSize } from './frame-sink.js';
import type { MediaFormat } from './sniff.js';
import { TimestampReport } from './video-timestamps.js';

/** Exact chroma upsampling and rounding, so that frames do not depend on the CPU. */
const SCALER = 'scale=flags=accurate_rnd+full_chroma_int+bitexact,format=rgb24';

/** A file to take frames of, and which. */
export interface FrameSource {
  path: string;
  format: MediaFormat;
  stream: VideoStream;
  /** Source indices, ascending; the last may stand twice. */
  indices: readonly number[];
  hasRecovery: boolean;
  /** What makes frames of a size smaller as they come. */
  resizerOf?: ((size: FrameSize) => FrameResizer | undefined) | undefined;
}

/** Frames in order, all of one size, with the source index of each: what was read of what was asked for. */
export interface ExtractedFrames {
  frames: Uint8Array[];
  indices: number[];
  width: number;
  height: number;
}

interface Picture {
  index: number;
  frame: Uint8Array;
}

/**
 * The chosen frames of a file. One that cannot be decoded is left out; with recovery the next that can be, before the
 * next chosen one, stands in for it, and for the last also an earlier one. Throws `invalid_video` where there are none.
 */
export async function extractFrames(source: FrameSource, context: DecodeContext): Promise<ExtractedFrames> {
  const pictures = new FramePictures(source, context);
  const found = (await pictures.byTimestamp()) ?? (await pictures.byOrder());
  const chosen = source.indices.flatMap((target) => found.get(target) ?? []);
  if (chosen.length === 0) throw broken();
  const { width, height } = pictures;
  return {
    frames: chosen.map(({ frame }) => frame),
    indices: chosen.map(({ index }) => index),
    width,
    height,
  };
}

const broken = (): Error => invalidMedia('video', 'is damaged and cannot be decoded');

/** Runs of ffmpeg over one file. */
class FramePictures {
  width = 0;
  height = 0;
  private readonly targets: number[];

  constructor(
    private readonly source: FrameSource,
    private readonly context: DecodeContext,
  ) {
    this.targets = [...new Set(source.indices)];
  }

  /** By target. Undefined where the file has no times to tell frames by, or its pictures come at other times. */
  async byTimestamp(): Promise<Map<number, Picture> | undefined> {
    const { timestamps } = this.source.stream;
    if (timestamps === undefined) return undefined;
    const times = this.targets.map((index) => timestamps[index] as number);
    const report = new TimestampReport();
    const frames = await this.run([...this.selectTimes(times), report.filter], this.targets.length, report);
    const found = new Map<number, Picture>();
    for (const [i, frame] of frames.entries()) {
      const index = indexOf(timestamps, report.timestamps[i]);
      if (index === undefined) return undefined;
      found.set(this.targetOf(index), { index, frame });
    }
    if (found.size === 0) return undefined;
    if (this.source.hasRecovery) await this.recoverLast(found, timestamps);
    return found;
  }

  /** By their place among the pictures that come out, whatever was lost before them. */
  async byOrder(): Promise<Map<number, Picture>> {
    const select = this.isEveryFrame ? [] : [`select='${isOneOf('n', this.targets)}'`];
    const frames = await this.run(select, this.targets.length);
    return new Map(
      frames.map((frame, i) => [this.targets[i] as number, { index: this.targets[i] as number, frame }]),
    );
  }

  private get isEveryFrame(): boolean {
    return this.targets.length === this.source.stream.numFrames;
  }

  /** The picture at each time; recovering, the first from each time on, until the next. */
  private selectTimes(times: readonly number[]): string[] {
    if (this.isEveryFrame) return [];
    const choice = this.source.hasRecovery ? isFirstSince('pts', times) : isOneOf('pts', times);
    return [`select='${choice}'`];
  }

  /** The target that a source frame stands for. */
  private targetOf(index: number): number {
    return this.targets.findLast((target) => target <= index) ?? index;
  }

  /** The latest picture there is stands in for a last one that is not. */
  private async recoverLast(found: Map<number, Picture>, timestamps: Float64Array): Promise<void> {
    const last = this.targets.at(-1) as number;
    if (found.has(last)) return;
    const report = new TimestampReport();
    await this.run([report.filter], 0, report);
    const indices = report.timestamps.flatMap((pts) => indexOf(timestamps, pts) ?? []);
    const index = Math.max(...indices.filter((candidate) => candidate < last));
    const known = [...found.values()].find((picture) => picture.index === index);
    const [frame] = known
      ? [known.frame]
      : await this.run([`select='eq(pts,${timestamps[index] as number})'`], 1);
    if (frame !== undefined) found.set(last, { index, frame });
  }

  /** Pictures that pass `filters`, `maxFrames` at most; with 0 they are decoded and dropped. */
  private async run(filters: string[], maxFrames: number, report?: TimestampReport): Promise<Uint8Array[]> {
    const { path, format, stream, hasRecovery } = this.source;
    const { ffmpegPath } = this.context.policy;
    const sink = new FrameSink(maxFrames, stream.width * stream.height, this.source.resizerOf);
    const isDropping = maxFrames === 0;
    const exitCode = await runProgram(
      ffmpegPath,
      [
        ...['-v', 'quiet', '-nostdin', '-threads', '4', '-copyts', ...inputOptions(path, format)],
        ...['-map', `0:${stream.index}`, '-an', '-sn', '-dn'],
        ...(hasRecovery ? ['-max_error_rate', '1'] : []),
        ...['-vf', [...filters, ...(isDropping ? [] : [SCALER])].join(',')],
        ...(await passThroughOptions(ffmpegPath)),
        ...(isDropping
          ? ['-f', 'null', '-']
          : ['-frames:v', `${maxFrames}`, '-f', 'image2pipe', '-c:v', 'ppm', 'pipe:1']),
      ],
      {
        signal: this.context.signal,
        onOutput: (chunk) => sink.push(chunk),
        onErrorOutput: report && ((chunk) => report.push(chunk)),
      },
    );
    if (exitCode !== 0) throw broken();
    const frames = await sink.finish();
    if (!isDropping) Object.assign(this, { width: sink.width, height: sink.height });
    return frames;
  }
}

/** Place of `pts` among ascending timestamps. */
function indexOf(timestamps: Float64Array, pts: number | undefined): number | undefined {
  if (pts === undefined) return undefined;
  let [low, high] = [0, timestamps.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((timestamps[middle] as number) < pts) low = middle + 1;
    else high = middle;
  }
  return timestamps[low] === pts ? low : undefined;
}
