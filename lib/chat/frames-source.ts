import { SensoriumError } from '../errors.js';
import type { FrameListMetadata, MediaSource } from '../media/types.js';
import { isPixelArray, readPixelArrays } from './raw-media.js';

type JsonObject = Record<string, unknown>;
type ReadFrame = (frame: unknown, param: string) => MediaSource;

/** Frames of one video given one by one. */
const MAX_FRAMES = 4096;
/** Kinds of sources that are one picture. */
const PICTURE_KINDS: readonly MediaSource['kind'][] = ['url', 'bytes', 'path', 'pixels', 'sharp'];

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
const isFrames = (value: unknown): boolean => Array.isArray(value) || isPixelArray(value);

/** Whether `value` is `[frames, metadata]`. */
export function isFramesTuple(value: unknown): value is [unknown, JsonObject] {
  if (!Array.isArray(value) || value.length !== 2) return false;
  const [frames, metadata] = value as unknown[];
  return isFrames(frames) && isObject(metadata) && !('data' in metadata) && !('url' in metadata);
}

/** Metadata by either spelling of its names; what is not known of the clip stays absent. Throws `invalid_type`. */
function readMetadata(value: unknown, param: string): FrameListMetadata | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw new SensoriumError('invalid_type', `${param} must be an object.`, { param });
  const at = (name: string, otherName: string): unknown => value[name] ?? value[otherName] ?? undefined;
  return {
    fps: at('fps', 'fps'),
    framesIndices: at('frames_indices', 'framesIndices'),
    duration: at('duration', 'duration'),
    totalNumFrames: at('total_num_frames', 'totalNumFrames'),
  } as FrameListMetadata;
}

function readRate(fps: unknown, param: string): number | undefined {
  if (fps === undefined || fps === null) return undefined;
  if (typeof fps === 'number' && Number.isFinite(fps) && fps > 0) return fps;
  throw new SensoriumError('invalid_value', `${param} must be a positive number.`, { param });
}

function readFrameList(frames: unknown[], param: string, readFrame: ReadFrame): MediaSource[] {
  return frames.map((frame, i) => {
    const source = readFrame(frame, `${param}[${i}]`);
    if (PICTURE_KINDS.includes(source.kind)) return source;
    throw new SensoriumError('invalid_type', `${param}[${i}] must be one picture.`, { param });
  });
}

/**
 * One video of frames: a list of pictures, or an 8-bit array of [frames, height, width, channels]. `param` names the frames.
 * Throws `invalid_value`, `invalid_type`, `invalid_image`, `invalid_video`.
 */
export function readFrames(
  frames: unknown,
  clip: { fps?: unknown; metadata?: unknown; clipParam: string; param: string },
  readFrame: ReadFrame,
): MediaSource {
  const { param, clipParam } = clip;
  const isArray = isPixelArray(frames);
  if (isArray && frames.shape.length !== 4) {
    const message = `${param} has the shape [${frames.shape.join(', ')}]; a video has [frames, height, width, channels].`;
    throw new SensoriumError('invalid_video', message, { param });
  }
  const numFrames = isArray ? frames.shape[0] : Array.isArray(frames) ? frames.length : 0;
  if (numFrames === undefined || numFrames === 0) {
    throw new SensoriumError('invalid_value', `${param} must be a list of at least one frame.`, { param });
  }
  if (numFrames > MAX_FRAMES) {
    const message = `${param} has ${numFrames} frames; ${MAX_FRAMES} are the most.`;
    throw new SensoriumError('invalid_video', message, { param });
  }
  return {
    kind: 'frames',
    frames: isArray ? readPixelArrays(frames, param) : readFrameList(frames as unknown[], param, readFrame),
    fps: readRate(clip.fps, `${clipParam}.fps`),
    metadata: readMetadata(clip.metadata, `${clipParam}.metadata`),
  };
}
