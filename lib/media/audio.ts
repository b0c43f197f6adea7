import { Worker } from 'node:worker_threads';
import type { AudioWorkerInput, AudioWorkerOutput, WorkerSoundFormat } from './audio-worker.js';
import type { DecodeContext } from './decode-context.js';
import { abortReason, formatRefused, invalidMedia, throwIfAborted, tooLarge } from './failure.js';
import { decodeAudioWithFfmpeg } from './ffmpeg-audio.js';
import { demuxerOf } from './ffmpeg.js';
import { asBuffer } from './image.js';
import { Limiter } from './limiter.js';
import { checkSoundLength, SoundError, type SoundLimits } from './mono-sink.js';
import { sniffFormat, type MediaFormat } from './sniff.js';
import { soundFailure, soundLimitsOf } from './sound-failure.js';
import type { DecodedAudio } from './types.js';
import { decodeWav, readWavHeader } from './wav.js';

/** WAV files up to this size are read in place: starting a thread would take longer. */
const INLINE_WAV_BYTES = 256 * 1024;
const WORKER_TIMEOUT_MS = 60_000;
const MAX_WORKERS = 2;
/** Decoded bytes that one compressed byte is expected to become; the duration cap bounds the rest. */
const EXPECTED_EXPANSION = 64;
const MAX_MONO_BYTES_PER_SECOND = 48_000 * 4;

const workers = new Limiter(MAX_WORKERS);

/**
 * Mono samples at their own rate. WAV is read here, FLAC, MP3 and Ogg by sandboxed decoders in a worker thread, the rest by
 * ffmpeg. Throws `invalid_audio`, `media_too_large`, `media_format_refused`, `ffmpeg_missing`.
 */
export async function decodeAudio(bytes: Uint8Array, context: DecodeContext): Promise<DecodedAudio> {
  if (bytes.length === 0) throw invalidMedia('audio', 'is empty');
  const format = sniffFormat(bytes);
  if (format === undefined) throw invalidMedia('audio', 'is in no known format');
  if (isWorkerFormat(format)) return await decodeHere(bytes, format, context);
  if (demuxerOf(format) === undefined) throw formatRefused('audio', format.toUpperCase());
  return await decodeAudioWithFfmpeg(bytes, format, context);
}

function isWorkerFormat(format: MediaFormat): format is WorkerSoundFormat {
  return ['wav', 'flac', 'mp3', 'vorbis', 'opus'].includes(format);
}

async function decodeHere(
  bytes: Uint8Array,
  format: WorkerSoundFormat,
  context: DecodeContext,
): Promise<DecodedAudio> {
  const limits = soundLimitsOf(context.policy);
  try {
    await context.reserve(expectedBytes(bytes, format, limits));
    throwIfAborted(context.signal);
    const isInline = format === 'wav' && bytes.length <= INLINE_WAV_BYTES;
    const sound = isInline
      ? decodeWav(asBuffer(bytes), limits)
      : await workers.run(() => decodeInWorker({ bytes, format, limits }, context.signal));
    return { kind: 'audio', ...sound };
  } catch (error) {
    throw error instanceof SoundError ? soundFailure(error.fault, limits) : error;
  }
}

/** Bytes of mono samples to expect. Also rejects a broken or over-long WAV before a thread starts. */
function expectedBytes(bytes: Uint8Array, format: WorkerSoundFormat, limits: SoundLimits): number {
  const { maxSeconds, maxBytes } = limits;
  if (format !== 'wav')
    return Math.min(bytes.length * EXPECTED_EXPANSION, maxSeconds * MAX_MONO_BYTES_PER_SECOND, maxBytes);
  const { numFrames, samplingRate } = readWavHeader(asBuffer(bytes));
  checkSoundLength(numFrames, samplingRate, limits);
  return numFrames * 4;
}

/** One thread a sound: it is ended when the caller leaves or when it takes too long. */
async function decodeInWorker(
  input: AudioWorkerInput,
  signal: AbortSignal | undefined,
): Promise<{ samples: Float32Array; samplingRate: number }> {
  throwIfAborted(signal);
  const worker = new Worker(new URL('./audio-worker.js', import.meta.url), {
    workerData: input,
    // The decoders print about broken frames: the error says it instead.
    stdout: true,
    stderr: true,
  });
  let stop: (() => void) | undefined;
  const stopped = new Promise<never>((_resolve, reject) => {
    const timer = setTimeout(() => reject(tooLarge('audio', 'takes too long to decode')), WORKER_TIMEOUT_MS);
    const onAbort = (): void => reject(abortReason(signal as AbortSignal));
    signal?.addEventListener('abort', onAbort, { once: true });
    stop = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };
  });
  try {
    const output = await Promise.race([firstMessage(worker), stopped]);
    if (!output.ok) throw new SoundError(output.fault);
    return output.sound;
  } finally {
    stop?.();
    await worker.terminate();
  }
}

function firstMessage(worker: Worker): Promise<AudioWorkerOutput> {
  return new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', () => reject(new SoundError('broken')));
    worker.once('exit', () => reject(new SoundError('broken')));
  });
}
