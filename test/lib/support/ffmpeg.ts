import { spawnSync } from 'node:child_process';

const program = process.env['SENSORIUM_FFMPEG_PATH'] ?? 'ffmpeg';
const hasFfmpeg = spawnSync(program, ['-version']).error === undefined;

/** Options of tests that need the system's ffmpeg: without it they are skipped and counted as such. */
export const NEEDS_FFMPEG: { skip: string | false } = { skip: hasFfmpeg ? false : 'ffmpeg is not installed' };

/** Runs ffmpeg or ffprobe; its standard output. */
export function runFfmpeg(args: readonly string[], name: 'ffmpeg' | 'ffprobe' = 'ffmpeg'): Buffer {
  const path = { ffmpeg: program, ffprobe: process.env['SENSORIUM_FFPROBE_PATH'] ?? 'ffprobe' }[name];
  const { status, stdout, stderr } = spawnSync(path, ['-v', 'error', ...args], {
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`${name} failed: ${stderr.toString()}`);
  return stdout;
}

const isClip = (file: string): boolean => file.endsWith('.mp4');

/** Options of a test about these files. */
export const optionsFor = (files: readonly string[]): { skip: string | false } =>
  files.some(isClip) ? NEEDS_FFMPEG : { skip: false };

/** Whether these files can be read here. */
export const isReadable = (files: readonly string[]): boolean => hasFfmpeg || !files.some(isClip);
