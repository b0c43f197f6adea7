import { parentPort, workerData } from 'node:worker_threads';
import { FLACDecoder } from '@wasm-audio-decoders/flac';
import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import { MPEGDecoder } from 'mpg123-decoder';
import { OggOpusDecoder } from 'ogg-opus-decoder';
import { MonoSink, SoundError, type SoundFault, type SoundLimits } from './mono-sink.js';
import { decodeWav, type MonoSound } from './wav.js';

export type WorkerSoundFormat = 'wav' | 'flac' | 'mp3' | 'vorbis' | 'opus';

export interface AudioWorkerInput {
  bytes: Uint8Array;
  format: WorkerSoundFormat;
  limits: SoundLimits;
}

export type AudioWorkerOutput = { ok: true; sound: MonoSound } | { ok: false; fault: SoundFault };

interface Decoded {
  channelData: Float32Array[];
  samplesDecoded: number;
  sampleRate: number;
}

interface StreamDecoder {
  ready: Promise<void>;
  decode(bytes: Uint8Array): Decoded | Promise<Decoded>;
  flush?(): Decoded | Promise<Decoded>;
  free(): void;
}

const DECODERS: Record<Exclude<WorkerSoundFormat, 'wav'>, () => StreamDecoder> = {
  flac: () => new FLACDecoder(),
  mp3: () => new MPEGDecoder(),
  vorbis: () => new OggVorbisDecoder(),
  opus: () => new OggOpusDecoder(),
};

/** Small input pieces bound what one call can make of them, whatever the compression ratio. */
const PIECE_BYTES = 4 * 1024;

async function decodeStream(
  decoder: StreamDecoder,
  bytes: Uint8Array,
  limits: SoundLimits,
): Promise<MonoSound> {
  let sink: MonoSink | undefined;
  const take = ({ channelData, samplesDecoded, sampleRate }: Decoded): void => {
    if (samplesDecoded === 0) return;
    sink ??= new MonoSink(sampleRate, channelData.length, limits);
    if (sink.samplingRate !== sampleRate || sink.numChannels !== channelData.length)
      throw new SoundError('broken');
    sink.append(samplesDecoded, (channel, i) => (channelData[channel] as Float32Array)[i] as number);
  };
  await decoder.ready;
  for (let start = 0; start < bytes.length; start += PIECE_BYTES) {
    take(await decoder.decode(bytes.subarray(start, start + PIECE_BYTES)));
  }
  if (decoder.flush) take(await decoder.flush());
  decoder.free();
  if (sink === undefined) throw new SoundError('broken');
  return { samples: sink.finish(), samplingRate: sink.samplingRate };
}

async function decode({ bytes, format, limits }: AudioWorkerInput): Promise<AudioWorkerOutput> {
  try {
    const sound =
      format === 'wav'
        ? decodeWav(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), limits)
        : await decodeStream(DECODERS[format](), bytes, limits);
    return { ok: true, sound };
  } catch (error) {
    return { ok: false, fault: error instanceof SoundError ? error.fault : 'broken' };
  }
}

const output = await decode(workerData as AudioWorkerInput);
parentPort?.postMessage(output, output.ok ? [output.sound.samples.buffer] : []);
