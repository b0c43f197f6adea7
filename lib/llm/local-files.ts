import { open } from 'node:fs/promises';
import type { LocalFile } from '../chat/parts.js';
import { SensoriumError } from '../errors.js';
import type { MediaPolicy, Modality } from '../media/types.js';

function maxBytesOf(policy: MediaPolicy, modality: Modality): number {
  return { image: policy.maxImageBytes, audio: policy.maxAudioBytes, video: policy.maxVideoBytes }[modality];
}

function openError(error: unknown, { part, path }: LocalFile): SensoriumError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const isMissing = code === 'ENOENT' || code === 'ENOTDIR';
  const reason = isMissing ? 'does not exist' : `cannot be read (${code || 'unknown error'})`;
  return new SensoriumError(
    isMissing ? 'local_file_not_found' : 'local_file_refused',
    `The file '${path}' ${reason}.`,
    {
      param: part.param,
      cause: error,
    },
  );
}

async function readLocalFile(file: LocalFile, maxBytes: number): Promise<Uint8Array> {
  const { part, path } = file;
  const handle = await open(path, 'r').catch((error: unknown) => {
    throw openError(error, file);
  });
  try {
    const info = await handle.stat();
    if (!info.isFile()) {
      throw new SensoriumError('local_file_refused', `'${path}' is not a regular file.`, {
        param: part.param,
      });
    }
    if (info.size > maxBytes) {
      const message = `'${path}' has ${info.size} bytes; ${maxBytes} are the most for ${part.modality} input.`;
      throw new SensoriumError('media_too_large', message, { param: part.param });
    }
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}

/** Reads the files that the program itself named, one after the other, and puts their bytes into their parts. */
export async function readLocalFiles(files: readonly LocalFile[], policy: MediaPolicy): Promise<void> {
  for (const file of files) {
    const bytes = await readLocalFile(file, maxBytesOf(policy, file.part.modality));
    file.part.source = { kind: 'bytes', bytes };
  }
}
