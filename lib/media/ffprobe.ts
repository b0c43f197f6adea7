import { ByteSink } from './byte-sink.js';
import type { DecodeContext } from './decode-context.js';
import { invalidMedia } from './failure.js';
import { inputOptions, runProgram } from './ffmpeg.js';
import type { MediaFormat } from './sniff.js';
import type { Modality } from './types.js';

const MAX_REPORT_BYTES = 1024 * 1024;
const ENTRIES =
  'stream=index,codec_type,width,height,avg_frame_rate,r_frame_rate,nb_read_packets,duration,sample_rate,channels' +
  ':stream_disposition=attached_pic:format=duration';

export interface VideoStream {
  index: number;
  width: number;
  height: number;
  /** Frames per second. */
  fps: number;
  numFrames: number;
  /** Seconds. */
  duration: number;
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

type Fields = Record<string, unknown>;

/** Streams of a media file; packets are counted, not trusted from the header. Throws `invalid_video`, `invalid_audio`. */
export async function probe(
  path: string,
  format: MediaFormat,
  modality: Modality,
  context: DecodeContext,
): Promise<ProbeReport> {
  const sink = new ByteSink(MAX_REPORT_BYTES);
  const args = ['-v', 'quiet', '-print_format', 'json', '-count_packets', '-show_entries', ENTRIES];
  const exitCode = await runProgram(context.policy.ffprobePath, [...args, ...inputOptions(path, format)], {
    signal: context.signal,
    onOutput: (chunk) => {
      if (!sink.push(chunk)) throw invalidMedia(modality, 'has too many streams');
    },
  });
  const report = parseReport(sink.bytes());
  if (exitCode !== 0 || report === undefined) throw invalidMedia(modality, 'is damaged and cannot be read');
  return readReport(report);
}

function parseReport(bytes: Buffer): Fields | undefined {
  try {
    return JSON.parse(bytes.toString('utf8')) as Fields;
  } catch {
    return undefined;
  }
}

function readReport(report: Fields): ProbeReport {
  const streams = Array.isArray(report['streams']) ? (report['streams'] as Fields[]) : [];
  const containerDuration = readNumber((report['format'] as Fields | undefined)?.['duration']);
  const isPicture = (stream: Fields): boolean =>
    (stream['disposition'] as Fields | undefined)?.['attached_pic'] === 1;
  const video = streams.find((stream) => stream['codec_type'] === 'video' && !isPicture(stream));
  const audio = streams.find((stream) => stream['codec_type'] === 'audio');
  return {
    video: video && readVideoStream(video, containerDuration),
    audio: audio && readAudioStream(audio, containerDuration),
  };
}

function readVideoStream(stream: Fields, containerDuration: number | undefined): VideoStream {
  const numFrames = readNumber(stream['nb_read_packets']) ?? 0;
  const declaredDuration = readNumber(stream['duration']) ?? containerDuration;
  const fps =
    readRatio(stream['avg_frame_rate']) ??
    readRatio(stream['r_frame_rate']) ??
    (declaredDuration ? numFrames / declaredDuration : 0);
  return {
    index: readNumber(stream['index']) ?? 0,
    width: readNumber(stream['width']) ?? 0,
    height: readNumber(stream['height']) ?? 0,
    fps,
    numFrames,
    duration: declaredDuration ?? (fps > 0 ? numFrames / fps : 0),
  };
}

function readAudioStream(stream: Fields, containerDuration: number | undefined): AudioStream {
  return {
    index: readNumber(stream['index']) ?? 0,
    samplingRate: readNumber(stream['sample_rate']) ?? 0,
    numChannels: readNumber(stream['channels']) ?? 0,
    duration: readNumber(stream['duration']) ?? containerDuration,
  };
}

function readNumber(value: unknown): number | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const number = Number(value);
  return value !== '' && Number.isFinite(number) ? number : undefined;
}

/** "30000/1001" as a number; undefined where it is 0 or unknown. */
function readRatio(value: unknown): number | undefined {
  const [numerator, denominator] = typeof value === 'string' ? value.split('/').map(Number) : [];
  const ratio = (numerator ?? 0) / (denominator ?? 1);
  return Number.isFinite(ratio) && ratio > 0 ? ratio : undefined;
}
