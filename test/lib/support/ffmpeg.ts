import { spawnSync } from 'node:child_process';

const program = process.env['SENSORIUM_FFMPEG_PATH'] ?? 'ffmpeg';
const hasFfmpeg = spawnSync(program, ['-version']).error === undefined;

/** Options of tests that need the system's ffmpeg: without it they are skipped and counted as such. */
export const NEEDS_FFMPEG: { skip: string | false } = { skip: hasFfmpeg ? false : 'ffmpeg is not installed' };

const isClip = (file: string): boolean => file.endsWith('.mp4');

/** Options of a test about these files. */
export const optionsFor = (files: readonly string[]): { skip: string | false } =>
  files.some(isClip) ? NEEDS_FFMPEG : { skip: false };

/** Whether these files can be read here. */
export const isReadable = (files: readonly string[]): boolean => hasFfmpeg || !files.some(isClip);
