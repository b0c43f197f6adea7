import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SensoriumError, toSensoriumError } from '../errors.js';
import { abortReason, throwIfAborted } from './failure.js';
import { Limiter } from './limiter.js';
import type { MediaFormat } from './sniff.js';

/** The one demuxer each format may be opened with: no playlists, no scripts, nothing that names other files. */
const DEMUXERS: Partial<Record<MediaFormat, string>> = {
  mp4: 'mov',
  matroska: 'matroska',
  avi: 'avi',
  flv: 'flv',
  mpegts: 'mpegts',
  mpegps: 'mpeg',
  apng: 'apng',
  ogg: 'ogg',
  vorbis: 'ogg',
  opus: 'ogg',
  aac: 'aac',
  aiff: 'aiff',
};

const RUN_TIMEOUT_MS = 120_000;
const MAX_PROCESSES = 2;
const MAX_ADDRESS_SPACE_KIB = 8 * 1024 * 1024;
const MAX_CPU_SECONDS = 300;
/** `-fps_mode` came with this version; older ones spell it `-vsync`. */
const FIRST_FPS_MODE_VERSION = 5.1;

const processes = new Limiter(MAX_PROCESSES);
const versions = new Map<string, Promise<number>>();

export function demuxerOf(format: MediaFormat): string | undefined {
  return DEMUXERS[format];
}

/** Options that open `path` with its own demuxer and nothing but that file. */
export function inputOptions(path: string, format: MediaFormat): string[] {
  const demuxer = demuxerOf(format) as string;
  return ['-protocol_whitelist', 'file', '-format_whitelist', demuxer, '-f', demuxer, '-i', `file:${path}`];
}

/** Options that keep every selected frame once, in the spelling of the installed version. */
export async function passThroughOptions(ffmpegPath: string): Promise<string[]> {
  const version = await programVersion(ffmpegPath);
  return version >= FIRST_FPS_MODE_VERSION ? ['-fps_mode', 'passthrough'] : ['-vsync', 'passthrough'];
}

/** Runs `use` with `bytes` in a file of a private folder, which is removed afterwards. */
export async function withTemporaryFile<T>(bytes: Uint8Array, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sensorium-'));
  try {
    const path = join(folder, 'input');
    await writeFile(path, bytes, { mode: 0o600, flag: 'wx' });
    return await use(path);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export interface RunOptions {
  signal?: AbortSignal | undefined;
  /**
   * Takes standard output as it comes; what it throws ends the process and rejects the run. The process waits for a
   * promise that it returns.
   */
  onOutput: (chunk: Buffer) => unknown;
  /** Takes error output; absent: it goes nowhere. */
  onErrorOutput?: ((chunk: Buffer) => void) | undefined;
}

/**
 * Runs ffmpeg or ffprobe under limits of time, memory and concurrency; resolves to its exit code.
 * Throws `ffmpeg_missing`, or what `onOutput` threw, or the signal's reason.
 */
export async function runProgram(program: string, args: string[], options: RunOptions): Promise<number> {
  await programVersion(program);
  return await processes.run(() => runOnce(program, args, options));
}

function runOnce(program: string, args: string[], options: RunOptions): Promise<number> {
  const { signal, onOutput, onErrorOutput } = options;
  throwIfAborted(signal);
  const [command, commandArgs] = withResourceLimits(program, args);
  return new Promise((resolve, reject) => {
    const child = spawn(command, commandArgs, {
      stdio: ['ignore', 'pipe', onErrorOutput ? 'pipe' : 'ignore'],
      env: childEnvironment(),
    });
    const stop = (error: Error): void => {
      reject(error);
      child.kill('SIGKILL');
    };
    const fail = (error: unknown): void => {
      child.stdout?.removeAllListeners('data');
      child.stdout?.resume();
      stop(error instanceof Error ? error : toSensoriumError(error));
    };
    const onAbort = (): void => stop(abortReason(signal as AbortSignal));
    const timer = setTimeout(() => {
      stop(new SensoriumError('media_too_large', 'The media takes too long to decode.'));
    }, RUN_TIMEOUT_MS);
    signal?.addEventListener('abort', onAbort, { once: true });
    if (onErrorOutput) child.stderr?.on('data', onErrorOutput);
    child.stdout?.on('data', (chunk: Buffer) => {
      try {
        const work = onOutput(chunk);
        if (work instanceof Promise) {
          child.stdout?.pause();
          work.then(() => child.stdout?.resume(), fail);
        }
      } catch (error) {
        fail(error);
      }
    });
    child.on('error', (error) => stop(missing(program, error)));
    child.on('close', (code) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      resolve(code ?? 1);
    });
  });
}

/** The shell sets the limits and becomes the program; arguments never pass through its parser. */
function withResourceLimits(program: string, args: string[]): [command: string, args: string[]] {
  if (process.platform === 'win32') return [program, args];
  const limits = `ulimit -v ${MAX_ADDRESS_SPACE_KIB} 2>/dev/null; ulimit -t ${MAX_CPU_SECONDS}; ulimit -c 0`;
  return ['/bin/sh', ['-c', `${limits}; exec "$@"`, 'sh', program, ...args]];
}

function childEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LD_LIBRARY_PATH: process.env['LD_LIBRARY_PATH'], LC_ALL: 'C' };
}

/** Major and minor version as a number (5.1); development builds count as new. Throws `ffmpeg_missing`. */
function programVersion(program: string): Promise<number> {
  const known = versions.get(program);
  if (known !== undefined) return known;
  const version = readVersion(program);
  versions.set(program, version);
  version.catch(() => versions.delete(program));
  return version;
}

function readVersion(program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['-version'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: childEnvironment(),
    });
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('latin1', 0, 4096)));
    child.on('error', (error) => reject(missing(program, error)));
    child.on('close', () => {
      const version = /version n?(\d+\.\d+)/.exec(text)?.[1];
      resolve(version === undefined ? Infinity : Number(version));
    });
  });
}

function missing(program: string, cause: Error): SensoriumError {
  const name = program.endsWith('ffprobe') ? 'ffprobe' : 'ffmpeg';
  return new SensoriumError(
    'ffmpeg_missing',
    `This media needs ${name}, which is not installed: install FFmpeg (for example "apt-get install ffmpeg") or set SENSORIUM_FFMPEG_PATH and SENSORIUM_FFPROBE_PATH.`,
    { cause },
  );
}
