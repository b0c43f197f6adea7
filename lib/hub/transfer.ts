import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { request, type Dispatcher } from 'undici';
import { SensoriumError } from '../errors.js';
import { fileSize } from './cache-layout.js';
import type { HubConnection } from './connection.js';
import type { RemoteFile } from './types.js';

const MAX_ATTEMPTS = 5;
const RETRY_DELAY_MS = 250;
const MAX_REDIRECTS = 5;

export interface TransferOptions {
  signal?: AbortSignal | undefined;
  /** Called with the number of bytes that are new on disk; negative where a damaged part was thrown away. */
  onBytes: (numBytes: number) => void;
}

/** A failure that another attempt may mend. */
class Interrupted extends Error {}

const failed = (path: string, cause: unknown): SensoriumError =>
  new SensoriumError('download_failed', `${path} could not be fetched: ${describe(cause)}.`, { cause });

function describe(cause: unknown): string {
  if (cause instanceof Interrupted) return cause.message;
  return 'the connection failed';
}

/**
 * Fetches `url` into `blobPath` by way of `blobPath.incomplete`, going on where an earlier attempt ended, and checks size
 * and hash. Throws `download_failed`, `download_corrupt`, and what the Hub refuses by.
 */
export async function fetchBlob(
  connection: HubConnection,
  url: string,
  file: RemoteFile,
  blobPath: string,
  options: TransferOptions,
): Promise<void> {
  const partial = `${blobPath}.incomplete`;
  await dropOversized(partial, file.sizeBytes);
  options.onBytes((await fileSize(partial)) ?? 0);
  for (let isSecondTry = false; ; isSecondTry = true) {
    await fetchAll(connection, url, file, partial, options);
    if (await hasRightHash(partial, file)) break;
    await unlink(partial);
    options.onBytes(-file.sizeBytes);
    if (!isSecondTry) continue;
    throw new SensoriumError(
      'download_corrupt',
      `${file.path} does not have the hash that the Hub names; it was fetched twice.`,
    );
  }
  await rename(partial, blobPath);
}

async function dropOversized(partial: string, sizeBytes: number): Promise<void> {
  if (((await fileSize(partial)) ?? 0) > sizeBytes) await unlink(partial);
}

/** Attempts until the file has its size; an attempt that brought bytes gives back all attempts. */
async function fetchAll(
  connection: HubConnection,
  url: string,
  file: RemoteFile,
  partial: string,
  options: TransferOptions,
): Promise<void> {
  let numFailures = 0;
  for (;;) {
    const before = (await fileSize(partial)) ?? 0;
    if (before === file.sizeBytes && (before > 0 || numFailures > 0)) return;
    try {
      await fetchRest(connection, url, file, partial, before, options);
      if (file.sizeBytes === 0) return;
    } catch (error) {
      if (options.signal?.aborted === true || error instanceof SensoriumError) throw error;
      const after = (await fileSize(partial)) ?? 0;
      numFailures = after > before ? 1 : numFailures + 1;
      if (numFailures >= MAX_ATTEMPTS) throw failed(file.path, error);
      await sleep(RETRY_DELAY_MS * 2 ** (numFailures - 1), undefined, { signal: options.signal });
    }
  }
}

async function fetchRest(
  connection: HubConnection,
  url: string,
  file: RemoteFile,
  partial: string,
  offset: number,
  { signal, onBytes }: TransferOptions,
): Promise<void> {
  const response = await requestFollowing(connection, url, offset, signal);
  const isRest = response.statusCode === 206 && startsAt(response, offset);
  if (offset > 0 && !isRest) onBytes(-offset);
  const start = isRest ? offset : 0;
  const counter = new Transform({
    transform(chunk: Buffer, _encoding, done): void {
      numBytes += chunk.length;
      if (start + numBytes > file.sizeBytes)
        return done(new Interrupted('more bytes came than the Hub names'));
      onBytes(chunk.length);
      done(null, chunk);
    },
  });
  let numBytes = 0;
  await pipeline(
    response.body as Readable,
    counter,
    createWriteStream(partial, { flags: isRest ? 'a' : 'w' }),
    {
      ...(signal && { signal }),
    },
  );
  if (start + numBytes < file.sizeBytes) throw new Interrupted('the connection ended early');
}

function startsAt(response: Dispatcher.ResponseData, offset: number): boolean {
  const range = response.headers['content-range'];
  return typeof range === 'string' && range.startsWith(`bytes ${offset}-`);
}

/** The first answer that is no redirect. The token goes to the Hub alone. */
async function requestFollowing(
  connection: HubConnection,
  url: string,
  offset: number,
  signal: AbortSignal | undefined,
): Promise<Dispatcher.ResponseData> {
  let target = new URL(url);
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await request(target, {
      dispatcher: connection.agent,
      headers: {
        ...connection.headersFor(target),
        'accept-encoding': 'identity',
        ...(offset > 0 && { range: `bytes=${offset}-` }),
      },
      signal,
    });
    const { statusCode, headers } = response;
    if (statusCode === 200 || statusCode === 206) return response;
    await response.body.dump({ limit: 65536 }).catch(() => undefined);
    const { location } = headers;
    if (statusCode >= 300 && statusCode < 400 && typeof location === 'string') {
      target = new URL(location, target);
      connection.checkScheme(target);
    } else if (statusCode === 416 && offset > 0) {
      return requestFollowing(connection, url, 0, signal);
    } else if (statusCode >= 500 || statusCode === 408 || statusCode === 429) {
      throw new Interrupted(`the server answered ${statusCode}`);
    } else throw connection.refusal(statusCode);
  }
  throw new Interrupted('too many redirects');
}

function newHash({ hash, sizeBytes }: RemoteFile): Hash {
  if (hash.algorithm === 'sha256') return createHash('sha256');
  return createHash('sha1').update(`blob ${sizeBytes}\0`);
}

async function hasRightHash(path: string, file: RemoteFile): Promise<boolean> {
  const hash = newHash(file);
  for await (const chunk of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(chunk as Buffer);
  return hash.digest('hex') === file.hash.hex;
}
