import type { DecodeContext } from './decode-context.js';
import { invalidMedia, tooLarge } from './failure.js';
import { inputOptions, runProgram } from './ffmpeg.js';
import { MAX_FPS } from './media-option-rules.js';
import type { MediaFormat } from './sniff.js';
import type { Modality } from './types.js';

/** A report's longest line, its streams, and the pictures that a clip of the longest allowed duration may have. */
const MAX_LINE_CHARACTERS = 4096;
const MAX_STREAMS = 256;
const MAX_PACKETS = 2_000_000;
const ENTRIES =
  'packet=codec_type,stream_index,pts,duration_time,flags' +
  ':stream=index,codec_type,width,height,avg_frame_rate,r_frame_rate,duration,sample_rate,channels' +
  ':stream_disposition=attached_pic:format=duration';

export interface VideoStream {
  index: number;
  width: number;
  height: number;
  /** Frames per second; 0 where the file states none that is one. */
  fps: number;
  numFrames: number;
  /** Seconds. */
  duration: number;
  /** Of each frame in the order they are shown, in the stream's own unit; absent where some have none. */
  timestamps?: Float64Array | undefined;
}

export interface AudioStream {
  index: number;
  samplingRate: number;
  numChannels: number;
  /** Seconds; absent where the container does not say. */
  duration?: number | undefined;
}

export interface ProbeReport {
  video?: VideoStream | undefined;
  audio?: AudioStream | undefined;
}

type Fields = Readonly<Record<string, string>>;

/** Streams of a media file; packets are counted, not trusted from the header. Throws `invalid_video`, `invalid_audio`. */
export async function probe(
  path: string,
  format: MediaFormat,
  modality: Modality,
  context: DecodeContext,
): Promise<ProbeReport> {
  // An animated picture says how long each of its frames is shown, and nothing else.
  const report = new Report(modality, format === 'apng');
  const args = ['-v', 'quiet', '-print_format', 'compact', '-show_entries', ENTRIES];
  const exitCode = await runProgram(context.policy.ffprobePath, [...args, ...inputOptions(path, format)], {
    signal: context.signal,
    onOutput: (chunk) => report.push(chunk),
  });
  if (exitCode !== 0 || report.isEmpty) throw invalidMedia(modality, 'is damaged and cannot be read');
  return report.read();
}

/** Takes the report line by line, so that a long clip's packets are never held as text. */
class Report {
  private readonly streams: Fields[] = [];
  private readonly packets = new Map<string, number[]>();
  private numPackets = 0;
  private duration: number | undefined;
  private rest = '';

  /** Seconds that packets of pictures say they last. */
  private shownS = 0;

  constructor(
    private readonly modality: Modality,
    private readonly isAnimation: boolean,
  ) {}

  get isEmpty(): boolean {
    return this.streams.length === 0;
  }

  push(chunk: Buffer): void {
    const lines = (this.rest + chunk.toString('latin1')).split('\n');
    this.rest = lines.pop() as string;
    if (this.rest.length > MAX_LINE_CHARACTERS)
      throw invalidMedia(this.modality, 'is damaged and cannot be read');
    for (const line of lines) this.take(line);
  }

  read(): ProbeReport {
    const video = this.streams.find(
      (stream) => stream['codec_type'] === 'video' && stream['disposition:attached_pic'] !== '1',
    );
    const audio = this.streams.find((stream) => stream['codec_type'] === 'audio');
    const packets = this.packets.get(video?.['index'] ?? '') ?? [];
    return {
      video:
        video &&
        (this.isAnimation
          ? this.readAnimation(video, packets)
          : readVideoStream(video, packets, this.duration)),
      audio: audio && readAudioStream(audio, this.duration),
    };
  }

  private readAnimation(stream: Fields, packets: readonly number[]): VideoStream {
    const video = readVideoStream(stream, packets, this.duration);
    const fps = rateOrNone(video.numFrames / this.shownS) ?? video.fps;
    return { ...video, fps, duration: video.numFrames / fps };
  }

  private take(line: string): void {
    const [section, ...pairs] = line.split('|');
    const fields = Object.fromEntries(pairs.map((pair) => splitOnce(pair)));
    if (section === 'packet') this.takePacket(fields);
    else if (section === 'format') this.duration = readNumber(fields['duration']);
    else if (section === 'stream' && this.streams.push(fields) > MAX_STREAMS) {
      throw invalidMedia(this.modality, 'has too many streams');
    }
  }

  /** Packets that are decoded but never shown (flag D) are no frames. */
  private takePacket(fields: Fields): void {
    const { codec_type: type, stream_index: stream = '', pts, flags, duration_time: duration } = fields;
    if (type !== 'video' || flags?.includes('D')) return;
    if (++this.numPackets > MAX_PACKETS) throw tooLarge(this.modality, `has more than ${MAX_PACKETS} frames`);
    this.shownS += readNumber(duration) ?? 0;
    const timestamps = this.packets.get(stream) ?? [];
    timestamps.push(readNumber(pts) ?? NaN);
    this.packets.set(stream, timestamps);
  }
}

function splitOnce(pair: string): [name: string, value: string] {
  const at = pair.indexOf('=');
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function readVideoStream(
  stream: Fields,
  packets: readonly number[],
  containerDuration: number | undefined,
): VideoStream {
  const timestamps = inOrder(packets);
  const numFrames = (timestamps ?? packets).length;
  const declaredDuration = readNumber(stream['duration']) ?? containerDuration;
  const fps =
    readRate(stream['avg_frame_rate']) ??
    readRate(stream['r_frame_rate']) ??
    rateOrNone(declaredDuration ? numFrames / declaredDuration : 0) ??
    0;
  return {
    index: readNumber(stream['index']) ?? 0,
    width: readNumber(stream['width']) ?? 0,
    height: readNumber(stream['height']) ?? 0,
    fps,
    numFrames,
    duration: declaredDuration ?? (fps > 0 ? numFrames / fps : 0),
    timestamps,
  };
}

/** Packets that share a time show one picture: the others are its fields, or hidden. */
function inOrder(packets: readonly number[]): Float64Array | undefined {
  if (!packets.every((pts) => Number.isSafeInteger(pts))) return undefined;
  return Float64Array.from(new Set(packets)).sort();
}

function readAudioStream(stream: Fields, containerDuration: number | undefined): AudioStream {
  return {
    index: readNumber(stream['index']) ?? 0,
    samplingRate: readNumber(stream['sample_rate']) ?? 0,
    numChannels: readNumber(stream['channels']) ?? 0,
    duration: readNumber(stream['duration']) ?? containerDuration,
  };
}

function readNumber(value: string | undefined): number | undefined {
  const number = Number(value);
  return value !== '' && Number.isFinite(number) ? number : undefined;
}

/** "30000/1001" as a number; undefined where it is 0, unknown or no rate of frames. */
function readRate(value: string | undefined): number | undefined {
  const [numerator, denominator] = (value ?? '').split('/').map(Number);
  return rateOrNone((numerator ?? 0) / (denominator ?? 1));
}

function rateOrNone(rate: number): number | undefined {
  return rate > 0 && rate <= MAX_FPS ? rate : undefined;
}
