import { checkSoundLength, checkSoundShape, MonoSink, SoundError, type SoundLimits } from './mono-sink.js';

const FORMAT_PCM = 1;
const FORMAT_FLOAT = 3;
const FORMAT_A_LAW = 6;
const FORMAT_MU_LAW = 7;
const FORMAT_EXTENSIBLE = 0xfffe;
const SAMPLES_PER_STEP = 64 * 1024;

type SampleReader = (bytes: Buffer, offset: number) => number;

export interface WavHeader {
  samplingRate: number;
  numChannels: number;
  bytesPerSample: number;
  /** -1 to 1, from the byte offset of a sample. */
  readSample: SampleReader;
  dataOffset: number;
  /** Whole frames that the file really holds. */
  numFrames: number;
}

export interface MonoSound {
  samples: Float32Array<ArrayBuffer>;
  samplingRate: number;
}

const SAMPLE_READERS: Record<string, SampleReader> = {
  [`${FORMAT_PCM}/8`]: (bytes, offset) => ((bytes[offset] as number) - 128) / 128,
  [`${FORMAT_PCM}/16`]: (bytes, offset) => bytes.readInt16LE(offset) / 32768,
  [`${FORMAT_PCM}/24`]: (bytes, offset) => bytes.readIntLE(offset, 3) / 8388608,
  [`${FORMAT_PCM}/32`]: (bytes, offset) => bytes.readInt32LE(offset) / 2147483648,
  [`${FORMAT_FLOAT}/32`]: (bytes, offset) => bytes.readFloatLE(offset),
  [`${FORMAT_FLOAT}/64`]: (bytes, offset) => bytes.readDoubleLE(offset),
  [`${FORMAT_A_LAW}/8`]: (bytes, offset) => expandALaw(bytes[offset] as number),
  [`${FORMAT_MU_LAW}/8`]: (bytes, offset) => expandMuLaw(bytes[offset] as number),
};

/** ITU-T G.711 mu-law. */
function expandMuLaw(code: number): number {
  const inverted = ~code & 0xff;
  const exponent = (inverted >> 4) & 7;
  const magnitude = ((((inverted & 15) << 3) + 0x84) << exponent) - 0x84;
  return ((inverted & 0x80) !== 0 ? -magnitude : magnitude) / 32768;
}

/** ITU-T G.711 A-law. */
function expandALaw(code: number): number {
  const toggled = code ^ 0x55;
  const exponent = (toggled >> 4) & 7;
  const mantissa = ((toggled & 15) << 4) + 8;
  const magnitude = exponent === 0 ? mantissa : (mantissa + 0x100) << (exponent - 1);
  return ((toggled & 0x80) !== 0 ? magnitude : -magnitude) / 32768;
}

interface Chunk {
  id: string;
  start: number;
  /** Bytes that are really there. */
  size: number;
}

/** Walks the chunks up to `data`. A size that runs past the end is an error, except that of `data` (a streamed file). */
function* readChunks(bytes: Buffer): Generator<Chunk> {
  for (let offset = 12; offset + 8 <= bytes.length;) {
    const id = bytes.toString('latin1', offset, offset + 4);
    const declared = bytes.readUInt32LE(offset + 4);
    const rest = bytes.length - offset - 8;
    if (declared > rest && id !== 'data') throw new SoundError('broken');
    yield { id, start: offset + 8, size: Math.min(declared, rest) };
    offset += 8 + declared + (declared & 1);
  }
}

/** Reads a RIFF/WAVE header: PCM 8-32, float 32/64, A-law, mu-law, extensible. Throws SoundError. */
export function readWavHeader(bytes: Buffer): WavHeader {
  let format: Chunk | undefined;
  for (const chunk of readChunks(bytes)) {
    if (chunk.id === 'fmt ') format = chunk;
    if (chunk.id === 'data') return combine(bytes, format, chunk);
  }
  throw new SoundError('broken');
}

function combine(bytes: Buffer, format: Chunk | undefined, data: Chunk): WavHeader {
  if (format === undefined || format.size < 16) throw new SoundError('broken');
  const at = (offset: number): number => bytes.readUInt16LE(format.start + offset);
  // An extensible format names the real one in the first two bytes of its GUID.
  const tag = at(0) === FORMAT_EXTENSIBLE && format.size >= 26 ? at(24) : at(0);
  const numChannels = at(2);
  const samplingRate = bytes.readUInt32LE(format.start + 4);
  checkSoundShape(samplingRate, numChannels);
  const bitsPerSample = at(14);
  const readSample = SAMPLE_READERS[`${tag}/${bitsPerSample}`];
  if (readSample === undefined) throw new SoundError('kind');
  const bytesPerSample = bitsPerSample / 8;
  const numFrames = Math.floor(data.size / (bytesPerSample * numChannels));
  return { samplingRate, numChannels, bytesPerSample, readSample, dataOffset: data.start, numFrames };
}

/** Mono samples of a WAV file within `limits`. Throws SoundError. */
export function decodeWav(bytes: Buffer, limits: SoundLimits): MonoSound {
  const header = readWavHeader(bytes);
  const { samplingRate, numChannels, bytesPerSample, readSample, dataOffset, numFrames } = header;
  checkSoundLength(numFrames, samplingRate, limits);
  const sink = new MonoSink(samplingRate, numChannels, limits);
  for (let done = 0; done < numFrames; done += SAMPLES_PER_STEP) {
    const count = Math.min(SAMPLES_PER_STEP, numFrames - done);
    sink.append(count, (channel, i) =>
      readSample(bytes, dataOffset + ((done + i) * numChannels + channel) * bytesPerSample),
    );
  }
  return { samples: sink.finish(), samplingRate };
}
