import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
