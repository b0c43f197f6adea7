import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { runFfmpeg } from '../../support/ffmpeg.js';

/** Uses a folder that is removed afterwards. */
function inFolder<T>(use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'sensorium-clip-'));
  try {
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export interface ClipOptions {
  numFrames: number;
  fps?: number;
  size?: string;
  /** Every frame stands alone. Default mjpeg. */
  codec?: string;
  extension?: string;
  /** Before and after the codec. */
  more?: readonly string[];
}

/** A clip of a test picture with a running clock, made by ffmpeg. */
export function makeClip({ numFrames, fps = 10, size = '64x48', ...options }: ClipOptions): Buffer {
  const { codec = 'mjpeg', extension = 'mp4', more = [] } = options;
  return inFolder((folder) => {
    const path = join(folder, `clip.${extension}`);
    const source = ['-f', 'lavfi', '-i', `testsrc=size=${size}:rate=${fps}`, '-frames:v', `${numFrames}`];
    runFfmpeg([...source, '-c:v', codec, '-threads', '1', ...more, path]);
    return readFileSync(path);
  });
}

/** A VP8 clip with packets that are decoded for reference and never shown: only two passes make them. */
export function makeHiddenFrameClip(numFrames: number): Buffer {
  return inFolder((folder) => {
    const path = join(folder, 'clip.webm');
    const source = ['-f', 'lavfi', '-i', 'testsrc2=size=64x48:rate=10', '-frames:v', `${numFrames}`];
    const codec = [
      '-c:v',
      'libvpx',
      '-auto-alt-ref',
      '1',
      '-lag-in-frames',
      '25',
      '-b:v',
      '60k',
      '-g',
      '100',
    ];
    for (const pass of ['1', '2']) {
      runFfmpeg([...source, ...codec, '-pass', pass, '-passlogfile', join(folder, 'log'), '-y', path]);
    }
    return readFileSync(path);
  });
}

export interface Packet {
  offset: number;
  length: number;
}

/** Where each packet of the pictures lies in the file. */
export function packetsOf(clip: Buffer): Packet[] {
  return inFolder((folder) => {
    const path = join(folder, 'clip');
    writeFileSync(path, clip);
    const args = ['-select_streams', 'v', '-show_entries', 'packet=pos,size', '-of', 'json', path];
    const { packets } = JSON.parse(runFfmpeg(args, 'ffprobe').toString()) as {
      packets: { pos: string; size: string }[];
    };
    return packets.map(({ pos, size }) => ({ offset: Number(pos), length: Number(size) }));
  });
}

/** The clip with the packets of these frames zeroed, all but `headerBytes` that the container may need. */
export function withBrokenFrames(clip: Buffer, frames: readonly number[], headerBytes = 0): Buffer {
  const packets = packetsOf(clip);
  const broken = Buffer.from(clip);
  for (const frame of frames) {
    const { offset, length } = packets[frame] as Packet;
    broken.fill(0, offset + headerBytes, offset + length);
  }
  return broken;
}

function pngChunk(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), ...parts]);
  const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(body.length - 4);
  checksum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, checksum]);
}

const bigEndian = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4);
  return bytes;
};

/** An animated PNG of 8 x 6 pixels; each frame is shown for its own time, in tenths of a second. */
export function makeAnimatedPng(tenths: readonly number[]): Buffer {
  const [width, height] = [8, 6];
  const chunks = [
    pngChunk('IHDR', bigEndian(width, height), Buffer.from([8, 2, 0, 0, 0])),
    pngChunk('acTL', bigEndian(tenths.length, 0)),
  ];
  let sequence = 0;
  for (const [i, tenth] of tenths.entries()) {
    const delay = Buffer.from([0, tenth, 0, 10, 0, 0]);
    chunks.push(pngChunk('fcTL', bigEndian(sequence++, width, height, 0, 0), delay));
    const row = Buffer.concat([Buffer.from([0]), Buffer.alloc(width * 3, i * 40)]);
    const pixels = deflateSync(Buffer.concat(Array.from({ length: height }, () => row)));
    chunks.push(i === 0 ? pngChunk('IDAT', pixels) : pngChunk('fdAT', bigEndian(sequence++), pixels));
  }
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks, pngChunk('IEND')]);
}
