import type { DecodeContext } from './decode-context.js';
import { invalidMedia } from './failure.js';
import { inputOptions, runProgram, withTemporaryFile } from './ffmpeg.js';
import { probe, type AudioStream } from './ffprobe.js';
import { MonoSink, SoundError } from './mono-sink.js';
import type { MediaFormat } from './sniff.js';
import { soundFailure, soundLimitsOf } from './sound-failure.js';
import type { DecodedAudio } from './types.js';

const BYTES_PER_SAMPLE = 4;

/** Sound of a file that only ffmpeg reads. Throws `invalid_audio`, `media_too_large`, `ffmpeg_missing`. */
export async function decodeAudioWithFfmpeg(
  bytes: Uint8Array,
  format: MediaFormat,
  context: DecodeContext,
): Promise<DecodedAudio> {
  return await withTemporaryFile(bytes, async (path) => {
    const { audio } = await probe(path, format, 'audio', context);
    if (audio === undefined) throw invalidMedia('audio', 'has no sound in it');
    await context.reserve(audioStreamBytes(audio, context));
    return await decodeAudioStream(path, format, audio, context);
  });
}

/** Bytes of mono samples that a stream becomes at most. Throws `media_too_large` where it says it is too long. */
export function audioStreamBytes(stream: AudioStream, { policy }: DecodeContext): number {
  const limits = soundLimitsOf(policy);
  const { duration, samplingRate } = stream;
  const bytesOf = (seconds: number): number => seconds * samplingRate * BYTES_PER_SAMPLE;
  if (duration === undefined) return Math.min(bytesOf(limits.maxSeconds), limits.maxBytes);
  if (duration > limits.maxSeconds) throw soundFailure('too_long', limits);
  if (bytesOf(duration) > limits.maxBytes) throw soundFailure('too_large', limits);
  return bytesOf(duration);
}

/** One stream as mono samples at its own rate. */
export async function decodeAudioStream(
  path: string,
  format: MediaFormat,
  stream: AudioStream,
  context: DecodeContext,
): Promise<DecodedAudio> {
  const limits = soundLimitsOf(context.policy);
  try {
    const sink = new MonoSink(stream.samplingRate, stream.numChannels, limits);
    const exitCode = await runProgram(context.policy.ffmpegPath, audioArguments(path, format, stream), {
      signal: context.signal,
      onOutput: appendInterleaved(sink),
    });
    if (exitCode !== 0) throw new SoundError('broken');
    return { kind: 'audio', samples: sink.finish(), samplingRate: stream.samplingRate };
  } catch (error) {
    throw error instanceof SoundError ? soundFailure(error.fault, limits) : error;
  }
}

function audioArguments(path: string, format: MediaFormat, stream: AudioStream): string[] {
  const { index, samplingRate, numChannels } = stream;
  const output = [
    '-map',
    `0:${index}`,
    '-ac',
    `${numChannels}`,
    '-ar',
    `${samplingRate}`,
    '-f',
    'f32le',
    'pipe:1',
  ];
  return ['-v', 'quiet', '-nostdin', ...inputOptions(path, format), '-vn', '-sn', '-dn', ...output];
}

/** Feeds little-endian float frames of all channels to `sink`, whatever the chunk borders. */
function appendInterleaved(sink: MonoSink): (chunk: Buffer) => void {
  const frameBytes = sink.numChannels * BYTES_PER_SAMPLE;
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    const numFrames = Math.floor(bytes.length / frameBytes);
    sink.append(numFrames, (channel, i) => bytes.readFloatLE(i * frameBytes + channel * BYTES_PER_SAMPLE));
    rest = bytes.subarray(numFrames * frameBytes);
  };
}
