import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { SensoriumError } from '../errors.js';
import type { Modality } from './types.js';

/** Non-blocking: opening a pipe must not hang. Windows has no such flag. */
const OPEN_FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

function openError(error: unknown, path: string): SensoriumError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
  const reason = isMissing ? 'does not exist' : `cannot be read (${code || 'unknown error'})`;
  return new SensoriumError(
    isMissing ? 'local_file_not_found' : 'local_file_refused',
    `The file '${path}' ${reason}.`,
    { cause: error },
  );
}

/**
 * Bytes of a file that the program itself named: no folder has to permit it, and errors may tell its path. `lease` is
 * called with its size before it is read. Throws `local_file_not_found`, `local_file_refused`, `media_too_large`.
 */
export async function readNamedFile(
  path: string,
  modality: Modality,
  maxBytes: number,
  lease: (numBytes: number) => Promise<void>,
): Promise<Uint8Array> {
  const file = await open(path, OPEN_FLAGS).catch((error: unknown) => {
    throw openError(error, path);
  });
  try {
    const info = await file.stat();
    if (!info.isFile()) {
      throw new SensoriumError('local_file_refused', `'${path}' is not a regular file.`);
    }
    if (info.size > maxBytes) {
      const message = `'${path}' has ${info.size} bytes; ${maxBytes} are the most for ${modality} input.`;
      throw new SensoriumError('media_too_large', message);
    }
    await lease(info.size);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
