import { constants } from 'node:fs';
import { open, readlink, realpath, stat, type FileHandle } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SensoriumError } from '../errors.js';
import { ByteSink } from './byte-sink.js';
import { throwIfAborted, tooLarge } from './failure.js';
import { maxEncodedBytes } from './policy.js';
import type { MediaPolicy, Modality } from './types.js';

const READ_BYTES = 1024 * 1024;

export interface LocalFileOptions {
  signal?: AbortSignal | undefined;
  /** Called with the file's size before it is read. */
  onSize?: ((numBytes: number) => Promise<unknown>) | undefined;
}

/**
 * The file behind a `file:` URL. It must lie under `policy.allowedLocalMediaPath` after all links are followed, and be a
 * regular file. Throws `local_file_refused`, `local_file_not_found`, `media_too_large`.
 */
export async function readLocalFile(
  url: URL,
  policy: MediaPolicy,
  modality: Modality,
  options: LocalFileOptions = {},
): Promise<Buffer> {
  if (policy.allowedLocalMediaPath === undefined) {
    throw refused('file: URLs are switched off; --allowed-local-media-path permits a folder');
  }
  const folder = await realFolder(policy.allowedLocalMediaPath);
  const path = localPath(url);
  // A path that leaves the folder by its own spelling is refused before the disk is asked whether it exists.
  const lexicalFolder = resolve(policy.allowedLocalMediaPath);
  if (!isInside(path, folder) && !isInside(path, lexicalFolder)) throw outside();
  const real = await realpath(path).catch((error: unknown) => {
    throw notFound(error);
  });
  if (!isInside(real, folder)) throw outside();
  return await readInside(real, folder, maxEncodedBytes(policy, modality), modality, options);
}

async function readInside(
  path: string,
  folder: string,
  maxBytes: number,
  modality: Modality,
  { signal, onSize }: LocalFileOptions,
): Promise<Buffer> {
  // Non-blocking: opening a pipe must not hang; no following: the last component was resolved already.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(path, flags).catch((error: unknown) => {
    throw notFound(error);
  });
  try {
    await checkStillInside(file, folder);
    const { size } = await checkRegular(file);
    if (size > maxBytes) throw overCap(modality, maxBytes);
    await onSize?.(size);
    return await readAll(file, size, maxBytes, modality, signal);
  } finally {
    await file.close();
  }
}

async function readAll(
  file: FileHandle,
  size: number,
  maxBytes: number,
  modality: Modality,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const sink = new ByteSink(maxBytes, size);
  const buffer = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, size + 1));
  for (;;) {
    throwIfAborted(signal);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null);
    if (bytesRead === 0) return sink.bytes();
    if (!sink.push(buffer.subarray(0, bytesRead))) throw overCap(modality, maxBytes);
  }
}

/** Throws `invalid_option` where `policy.allowedLocalMediaPath` is given and no folder: told when a model is loaded. */
export async function checkLocalFolder({ allowedLocalMediaPath: path }: MediaPolicy): Promise<void> {
  if (path === undefined) return;
  const param = 'allowedLocalMediaPath';
  const found = await stat(path).catch((cause: unknown) => {
    const message = `The folder '${path}' of --allowed-local-media-path does not exist.`;
    throw new SensoriumError('invalid_option', message, { param, cause });
  });
  if (found.isDirectory()) return;
  const message = `'${path}' of --allowed-local-media-path is no folder.`;
  throw new SensoriumError('invalid_option', message, { param });
}

async function realFolder(folder: string): Promise<string> {
  try {
    return await realpath(folder);
  } catch (error) {
    throw new SensoriumError('invalid_option', 'The folder of --allowed-local-media-path does not exist.', {
      cause: error,
    });
  }
}

function localPath(url: URL): string {
  if (url.hostname !== '' && url.hostname !== 'localhost') throw refused('The file URL names another host');
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new SensoriumError('invalid_url', 'The file URL is not a valid path.', { cause: error });
  }
}

async function checkRegular(file: FileHandle): Promise<{ size: number }> {
  const stats = await file.stat();
  if (!stats.isFile()) throw refused('The file URL does not name a regular file');
  return { size: stats.size };
}

/** A folder on the way may have been exchanged between the check and the opening: ask the kernel what was opened. */
async function checkStillInside(file: FileHandle, folder: string): Promise<void> {
  if (process.platform !== 'linux') return;
  const opened = await readlink(`/proc/self/fd/${file.fd}`).catch(() => undefined);
  if (opened !== undefined && !isInside(opened, folder)) throw outside();
}

function isInside(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function refused(reason: string): SensoriumError {
  return new SensoriumError('local_file_refused', `${reason}.`);
}

function outside(): SensoriumError {
  return refused('The file is not inside the folder of --allowed-local-media-path');
}

function notFound(cause: unknown): SensoriumError {
  return new SensoriumError('local_file_not_found', 'The file does not exist or cannot be read.', { cause });
}

function overCap(modality: Modality, maxBytes: number): SensoriumError {
  return tooLarge(modality, `is larger than the limit of ${maxBytes} bytes`);
}
