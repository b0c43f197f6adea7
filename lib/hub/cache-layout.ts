import { mkdir, readFile, rename, stat, symlink, unlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { isCommit } from './repository.js';

/** The folders of one repository in the Hub's cache: blobs by hash, snapshots by commit (links to blobs), refs by name. */
export class RepositoryCache {
  constructor(private readonly folder: string) {}

  blobPath(hex: string): string {
    return join(this.folder, 'blobs', hex);
  }

  snapshotPath(commit: string): string {
    return join(this.folder, 'snapshots', commit);
  }

  /** The commit that `revision` was when it was last looked up. */
  async readRef(revision: string): Promise<string | undefined> {
    if (isCommit(revision)) return revision;
    const text = await readFile(join(this.folder, 'refs', revision), 'utf8').catch(() => undefined);
    const commit = text?.trim();
    return commit !== undefined && isCommit(commit) ? commit : undefined;
  }

  async writeRef(revision: string, commit: string): Promise<void> {
    if (revision === commit) return;
    const path = join(this.folder, 'refs', revision);
    await mkdir(dirname(path), { recursive: true });
    await replaceFile(path, (temporary) => writeFile(temporary, commit));
  }

  /** Shows a blob in a snapshot under its path. */
  async link(commit: string, path: string, hex: string): Promise<void> {
    const pointer = join(this.snapshotPath(commit), path);
    await mkdir(dirname(pointer), { recursive: true });
    if (await fileExists(pointer)) return;
    const target = relative(dirname(pointer), this.blobPath(hex));
    await replaceFile(pointer, (temporary) => symlink(target, temporary));
  }
}

/** Makes a file beside `path` and moves it there: readers see the old one or the new one. */
async function replaceFile(path: string, make: (temporary: string) => Promise<void>): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  await unlink(temporary).catch(() => undefined);
  await make(temporary);
  await rename(temporary, path);
}

export async function fileExists(path: string): Promise<boolean> {
  return (await fileSize(path)) !== undefined;
}

/** Size of a file in bytes, or undefined where there is none. */
export async function fileSize(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
