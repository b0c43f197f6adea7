import type { FrameListMetadata } from './types.js';
import type { SamplerName } from './video-samplers.js';

/** Which frames of a clip to look at. */
export interface FrameChoice {
  /** Decides by its own rules; absent: the rules of the checkpoint's family. */
  sampler?: SamplerName | undefined;
  /** Frames per second to sample at. */
  fps?: number | undefined;
  /** Frames to spread evenly over the clip; 'all' keeps every frame. */
  numFrames?: number | 'all' | undefined;
  /** The same in a multiple of what the processor joins (`nframes` of a part). */
  numSpreadFrames?: number | undefined;
  minFrames?: number | undefined;
  maxFrames?: number | undefined;
  /** Seconds beyond which `opencv_dynamic` lowers its rate. */
  maxDurationS?: number | undefined;
  /** Frames that `qwen2_vl` counts in multiples of. */
  temporalPatchSize?: number | undefined;
}

/** The stretch of a clip to look at, in seconds. */
export interface VideoSpan {
  startS?: number | undefined;
  endS?: number | undefined;
}

export interface ImageSettings {
  /** Composite alpha over this colour (0-255); absent: alpha is dropped and hidden colours stay. */
  background?: [number, number, number] | undefined;
}

export interface VideoSettings extends ImageSettings, FrameChoice {
  /** What the processor picks of the frames that were chosen; absent: all of them. */
  resampling?: FrameChoice | undefined;
  span?: VideoSpan | undefined;
  /** A chosen frame that cannot be decoded is replaced by a later one, the last also by an earlier one. */
  hasFrameRecovery?: boolean | undefined;
  useAudioInVideo: boolean;
  /** What the options say of a list of pictures. */
  frameList?: FrameListMetadata | undefined;
}

type Kwargs = Record<string, unknown>;

function given<T>(kwargs: Kwargs, name: string): T | undefined {
  return (kwargs[name] ?? undefined) as T | undefined;
}

/** The choice that checked options make; -1 is "all" of frames and "not limiting" of a rate. */
export function readFrameChoice(kwargs: Kwargs): FrameChoice {
  const numFrames = given<number>(kwargs, 'num_frames');
  const fps = given<number>(kwargs, 'fps');
  return {
    sampler: given(kwargs, 'video_backend'),
    fps: fps === -1 ? undefined : fps,
    numFrames: numFrames === -1 ? 'all' : numFrames,
    numSpreadFrames: given(kwargs, 'nframes'),
    minFrames: given(kwargs, 'min_frames'),
    maxFrames: given(kwargs, 'max_frames'),
    maxDurationS: given(kwargs, 'max_duration'),
    temporalPatchSize: given(kwargs, 'temporal_patch_size'),
  };
}

/** Options that say how many frames there are to be; whoever names one means none of the others. */
const COUNT_NAMES = ['num_frames', 'nframes'];

/** `base` without what `top` overrides: its own names, and the other of a rate and a number of frames. */
function yieldTo(base: Kwargs, top: Kwargs): Kwargs {
  const hasCount = COUNT_NAMES.some((name) => name in top);
  const isKept = (name: string): boolean => {
    if (name in top) return false;
    if (name === 'fps') return !hasCount;
    return !COUNT_NAMES.includes(name) || !(hasCount || 'fps' in top);
  };
  return Object.fromEntries(Object.entries(base).filter(([name]) => isKept(name)));
}

/** `top` over `base`. Where `top` names one of a rate and a number of frames, the other of `base` is dropped. */
export function overlayOptions(base: Kwargs, top: Kwargs): Kwargs {
  return { ...yieldTo(base, top), ...top };
}

/** Checked options without nulls, by where they were written. */
export interface OptionLayers {
  /** Of reading: the server's, and the request's. */
  serverIo: Kwargs;
  requestIo: Kwargs;
  /** Of the processor: the server's, the request's, the part's own. */
  serverProcessor: Kwargs;
  requestProcessor: Kwargs;
  part: Kwargs;
}

/** Options merged. Those of reading and of the processor make one choice of frames, or each their own. */
export interface MergedOptions {
  io: Kwargs;
  processor: Kwargs;
}

/**
 * The layers merged, a later one over an earlier. Without `do_sample_frames` the options of both kinds choose frames
 * together, so that what the request or the part names also drops the server's rivals of the other kind.
 */
export function mergeOptions(layers: OptionLayers): MergedOptions {
  const { serverIo, requestIo, serverProcessor, requestProcessor, part } = layers;
  const merged = {
    io: overlayOptions(serverIo, requestIo),
    processor: overlayOptions(overlayOptions(serverProcessor, requestProcessor), part),
  };
  if (isSampledAgain(merged) !== undefined) return merged;
  const request = { ...requestIo, ...requestProcessor };
  const beneath = (base: Kwargs): Kwargs => yieldTo(yieldTo(base, request), part);
  return {
    io: { ...beneath(serverIo), ...yieldTo(requestIo, part) },
    processor: { ...beneath(serverProcessor), ...yieldTo(requestProcessor, part), ...part },
  };
}

const isSampledAgain = ({ io, processor }: MergedOptions): unknown =>
  processor['do_sample_frames'] ?? io['do_sample_frames'];

/** Options that make a choice of frames by themselves. */
const CHOOSING_NAMES = ['video_backend', 'fps', 'num_frames', 'max_frames'];

/**
 * With `do_sample_frames`, reading chooses frames (all of them where it is not told) and the processor picks from these;
 * with `do_sample_frames: false` only reading chooses; without it all options together make one choice.
 */
function readChoices(merged: MergedOptions): FrameChoice & Pick<VideoSettings, 'resampling'> {
  const { io, processor } = merged;
  const isAgain = isSampledAgain(merged);
  if (isAgain === undefined) return readFrameChoice({ ...io, ...processor });
  if (isAgain === false) return readFrameChoice(io);
  const isChosen = CHOOSING_NAMES.some((name) => name in io);
  const first: FrameChoice = isChosen ? readFrameChoice(io) : { numFrames: 'all' };
  return { ...first, resampling: readFrameChoice(processor) };
}

/** The settings that merged options make. */
export function readVideoSettings(merged: MergedOptions): Omit<VideoSettings, 'background'> {
  const { io, processor } = merged;
  const both = { ...io, ...processor };
  return {
    ...readChoices(merged),
    span: readSpan(both),
    hasFrameRecovery: given<boolean>(both, 'frame_recovery') ?? false,
    useAudioInVideo: given<boolean>(both, 'use_audio_in_video') ?? false,
    frameList: {
      framesIndices: given(io, 'frames_indices'),
      totalNumFrames: given(io, 'total_num_frames'),
      duration: given(io, 'duration'),
    },
  };
}

function readSpan(kwargs: Kwargs): VideoSpan | undefined {
  const startS = given<number>(kwargs, 'video_start');
  const endS = given<number>(kwargs, 'video_end');
  return startS === undefined && endS === undefined ? undefined : { startS, endS };
}
