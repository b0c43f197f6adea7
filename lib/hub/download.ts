import { mkdir, readFile, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type * as HubClient from '@huggingface/hub';
import { SensoriumError } from '../errors.js';
import { fileExists, fileSize, RepositoryCache } from './cache-layout.js';
import { chooseSmallFiles, chooseWeights, INDEX_PATH, shardNames } from './choose-files.js';
import { openConnection, type HubConnection } from './connection.js';
import { withLock } from './lock.js';
import { checkRevision, isCommit } from './repository.js';
import { fetchBlob } from './transfer.js';
import type { HubOptions, RemoteFile } from './types.js';

const MAX_LISTED_FILES = 20_000;
const MAX_CONCURRENT_FILES = 4;

async function loadClient(): Promise<typeof HubClient> {
  try {
    return await import('@huggingface/hub');
  } catch (error) {
    throw new SensoriumError(
      'not_supported',
      'Models are fetched from the Hub with the package @huggingface/hub, which is not installed: npm install @huggingface/hub.',
      { param: 'model', cause: error },
    );
  }
}

const isSet = (value: string | undefined): boolean => value !== undefined && /^(1|true|yes|on)$/i.test(value);

/**
 * The folder of `repository` at a revision, fetched into the cache as far as it is not there. Where the Hub cannot be
 * reached, a complete copy in the cache is used. Throws `model_not_found`, `hub_access_refused`, `download_failed`,
 * `download_corrupt`, `invalid_checkpoint`.
 */
export async function downloadModel(repository: string, options: HubOptions = {}): Promise<string> {
  const revision = options.revision ?? 'main';
  checkRevision(revision);
  const client = await loadClient();
  const cacheFolder = options.cacheFolder ?? client.getHFHubCachePath();
  const cache = new RepositoryCache(
    join(cacheFolder, client.getRepoFolderName({ name: repository, type: 'model' })),
  );
  const cached = await findCached(cache, revision);
  const isOffline = options.isOffline ?? isSet(process.env['HF_HUB_OFFLINE']);
  if (isOffline || (cached !== undefined && isCommit(revision)))
    return cached ?? throwNotCached(repository, revision);
  const connection = await openConnection(repository, revision, options);
  try {
    return await new Download(client, connection, cache, repository, options).run(revision);
  } catch (error) {
    if (options.signal?.aborted === true)
      throw new SensoriumError('request_cancelled', 'The download was cancelled.', { cause: error });
    const isUnreachable = error instanceof SensoriumError && error.code === 'download_failed';
    if (!isUnreachable || cached === undefined) throw error;
    process.emitWarning(`The Hub cannot be reached; the cached copy of '${repository}' is used.`, {
      type: 'SensoriumWarning',
    });
    return cached;
  } finally {
    await connection.agent.destroy();
  }
}

function throwNotCached(repository: string, revision: string): never {
  throw new SensoriumError(
    'model_not_found',
    `The cache holds no complete copy of '${repository}' (revision '${revision}'), and the Hub is not asked in offline mode.`,
    { param: 'model' },
  );
}

/** The snapshot of `revision` if its configuration and all its weights are there. */
async function findCached(cache: RepositoryCache, revision: string): Promise<string | undefined> {
  const commit = await cache.readRef(revision);
  if (commit === undefined) return undefined;
  const folder = cache.snapshotPath(commit);
  if (!(await fileExists(join(folder, 'config.json')))) return undefined;
  const index = await readFile(join(folder, INDEX_PATH), 'utf8').catch(() => undefined);
  const names = index === undefined ? ['model.safetensors'] : shardNames(index);
  const present = await Promise.all(names.map((name) => fileExists(join(folder, name))));
  return present.every(Boolean) ? folder : undefined;
}

/** One checkpoint on its way into the cache. */
class Download {
  private doneBytes = 0;
  private totalBytes = 0;

  constructor(
    private readonly client: typeof HubClient,
    private readonly connection: HubConnection,
    private readonly cache: RepositoryCache,
    private readonly repository: string,
    private readonly options: HubOptions,
  ) {}

  async run(revision: string): Promise<string> {
    const commit = await this.asked(() => this.lookUp(revision));
    const files = await this.asked(() => this.list(commit));
    const smallFiles = chooseSmallFiles(files, this.repository);
    await this.fetchAll(commit, smallFiles);
    const folder = this.cache.snapshotPath(commit);
    const hasIndex = smallFiles.some(({ path }) => path === INDEX_PATH);
    const index = hasIndex ? await readFile(join(folder, INDEX_PATH), 'utf8') : undefined;
    await this.fetchAll(commit, chooseWeights(files, index, this.repository));
    await this.cache.writeRef(revision, commit);
    return folder;
  }

  private async lookUp(revision: string): Promise<string> {
    const { endpoint, fetch } = this.connection;
    const { sha } = await this.client.modelInfo({
      name: this.repository,
      revision,
      hubUrl: endpoint,
      additionalFields: ['sha'],
      fetch,
    });
    if (typeof sha === 'string' && isCommit(sha)) return sha;
    throw new SensoriumError('download_failed', `The Hub named no commit of '${this.repository}'.`, {
      param: 'model',
    });
  }

  private async list(commit: string): Promise<RemoteFile[]> {
    const { endpoint, fetch } = this.connection;
    const files: RemoteFile[] = [];
    const entries = this.client.listFiles({
      repo: this.repository,
      recursive: true,
      revision: commit,
      hubUrl: endpoint,
      fetch,
    });
    for await (const { type, path, size, oid, lfs } of entries) {
      if (type !== 'file') continue;
      if (files.length >= MAX_LISTED_FILES) throw tooManyFiles(this.repository);
      files.push({ path, sizeBytes: lfs?.size ?? size, hash: readHash(lfs?.oid, oid, path) });
    }
    return files;
  }

  /** The Hub's own failures in our words. */
  private async asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof SensoriumError) throw error;
      if (error instanceof this.client.HubApiError) throw this.connection.refusal(error.statusCode);
      throw new SensoriumError('download_failed', `The Hub cannot be reached for '${this.repository}'.`, {
        param: 'model',
        cause: error,
      });
    }
  }

  private async fetchAll(commit: string, files: readonly RemoteFile[]): Promise<void> {
    this.totalBytes += files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    await this.checkSpace(files);
    this.report(0);
    const queue = [...files];
    const work = async (): Promise<void> => {
      for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
        try {
          await this.fetchFile(commit, file);
        } catch (error) {
          queue.length = 0;
          throw error;
        }
      }
    };
    const results = await Promise.allSettled(Array.from({ length: MAX_CONCURRENT_FILES }, work));
    const failure = results.find((result) => result.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  private async fetchFile(commit: string, file: RemoteFile): Promise<void> {
    const { hex } = file.hash;
    const blobPath = this.cache.blobPath(hex);
    const { signal } = this.options;
    await mkdir(dirname(blobPath), { recursive: true });
    await withLock(`${blobPath}.lock`, signal, async () => {
      if ((await fileSize(blobPath)) === file.sizeBytes) return this.report(file.sizeBytes);
      const path = file.path.split('/').map(encodeURIComponent).join('/');
      const url = `${this.connection.endpoint}/${this.repository}/resolve/${commit}/${path}`;
      await fetchBlob(this.connection, url, file, blobPath, {
        signal,
        onBytes: (numBytes) => this.report(numBytes),
      });
    });
    await this.cache.link(commit, file.path, hex);
  }

  /** Refuses before the disk is full. */
  private async checkSpace(files: readonly RemoteFile[]): Promise<void> {
    let neededBytes = 0;
    for (const { sizeBytes, hash } of files) {
      const blobPath = this.cache.blobPath(hash.hex);
      const presentBytes = (await fileSize(blobPath)) ?? (await fileSize(`${blobPath}.incomplete`)) ?? 0;
      neededBytes += Math.max(0, sizeBytes - presentBytes);
    }
    const folder = this.cache.blobPath('');
    await mkdir(folder, { recursive: true });
    const { bavail, bsize } = await statfs(folder);
    if (neededBytes <= bavail * bsize) return;
    throw new SensoriumError(
      'download_failed',
      `'${this.repository}' needs ${neededBytes} more bytes in the cache, and its disk has ${bavail * bsize} left.`,
      { param: 'model' },
    );
  }

  private report(numBytes: number): void {
    this.doneBytes += numBytes;
    this.options.onProgress?.({ doneBytes: this.doneBytes, totalBytes: this.totalBytes });
  }
}

const tooManyFiles = (repository: string): SensoriumError =>
  new SensoriumError('invalid_checkpoint', `The repository '${repository}' has too many files.`, {
    param: 'model',
  });

function readHash(lfs: string | undefined, oid: string | undefined, path: string): RemoteFile['hash'] {
  if (lfs !== undefined && /^[0-9a-f]{64}$/.test(lfs)) return { algorithm: 'sha256', hex: lfs };
  if (oid !== undefined && /^[0-9a-f]{40}$/.test(oid)) return { algorithm: 'git-sha1', hex: oid };
  throw new SensoriumError('download_failed', `The Hub names no hash of ${path.slice(0, 100)}.`);
}
