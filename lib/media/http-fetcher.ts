import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, errors as undiciErrors, request, type Dispatcher } from 'undici';
import { SensoriumError } from '../errors.js';
import { overloaded } from './budget.js';
import { ByteSink } from './byte-sink.js';
import { abortReason, throwIfAborted, tooLarge } from './failure.js';
import { fetchTimeoutMs, maxEncodedBytes } from './policy.js';
import type { MediaPolicy, Modality } from './types.js';
import { parseRedirect, UrlGuard, type ResolveHost } from './url-guard.js';

const RETRY_DELAY_MS = 100;
const MAX_RESPONSE_HEADER_BYTES = 16 * 1024;
/** Room that a body is given before its first byte: a server that sends little, or slowly, takes no more. */
const FIRST_BYTES = 1024 * 1024;
const MAX_CONNECTIONS_PER_HOST = 128;
const REQUEST_HEADERS = { 'user-agent': 'sensorium', accept: '*/*', 'accept-encoding': 'identity' };

type Response = Dispatcher.ResponseData;

export interface HttpFetchOptions {
  modality: Modality;
  signal?: AbortSignal | undefined;
  /** An end before the modality's own timeout, on the clock of `performance.now()`. */
  deadlineMs?: number | undefined;
  /**
   * Called with how many bytes are to have room in all: before a body is read, as it grows, and anew with each attempt.
   * It must settle within `maxWaitMs`.
   */
  onLength?: ((numBytes: number, maxWaitMs: number) => Promise<void>) | undefined;
}

/** One fetch under way: ends with its caller or its time. */
interface Attempt {
  signal: AbortSignal;
  endsAtMs: number;
  /** Time that `onLength` took. */
  waitedMs: number;
}

/** Gets media over http(s) under the policy's guards. No proxy of the environment is used. */
export class HttpFetcher {
  private readonly guard: UrlGuard;
  private readonly agent: Agent;

  /** `resolveHost` replaces the system's name lookup. */
  constructor(
    private readonly policy: MediaPolicy,
    resolveHost?: ResolveHost,
  ) {
    this.guard = new UrlGuard(policy, resolveHost);
    this.agent = new Agent({
      connections: MAX_CONNECTIONS_PER_HOST,
      maxHeaderSize: MAX_RESPONSE_HEADER_BYTES,
      // undici's LookupFunction type is net's, which this lookup satisfies in both of its forms.
      connect: { lookup: this.guard.lookup },
    });
  }

  /**
   * The body at `url`. One deadline (the modality's fetch timeout, or an earlier one of the caller's) holds for all
   * attempts and redirects together.
   * Throws `media_fetch_rejected` (the host's own refusal), `media_fetch_failed` (unreachable, 5xx),
   * `media_fetch_timeout`, `rate_limited` (most of the time went by in `onLength`), `media_too_large` and the guard's
   * errors.
   */
  async fetch(url: URL, options: HttpFetchOptions): Promise<Buffer> {
    throwIfAborted(options.signal);
    const nowMs = performance.now();
    const endsAtMs = Math.min(
      nowMs + fetchTimeoutMs(this.policy, options.modality),
      options.deadlineMs ?? Infinity,
    );
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), Math.max(0, endsAtMs - nowMs));
    const signals = options.signal ? [timeout.signal, options.signal] : [timeout.signal];
    const attempt: Attempt = { signal: AbortSignal.any(signals), endsAtMs, waitedMs: 0 };
    try {
      return await this.fetchWithRetries(url, options, attempt);
    } catch (error) {
      if (options.signal?.aborted) throw abortReason(options.signal);
      if (error instanceof SensoriumError && error.code === 'rate_limited') throw error;
      if (!timeout.signal.aborted && !isTimeout(error)) throw error;
      // Whoever spent its time waiting for room was not let down by the media server.
      if (attempt.waitedMs * 2 > performance.now() - nowMs) throw overloaded();
      throw timedOut(options.modality, error);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends open connections. */
  close(): Promise<void> {
    return this.agent.destroy();
  }

  private async fetchWithRetries(url: URL, options: HttpFetchOptions, attempt: Attempt): Promise<Buffer> {
    for (let numAttempts = 1; ; numAttempts++) {
      try {
        return await this.fetchOnce(url, options, attempt);
      } catch (error) {
        const isRetryable = error instanceof SensoriumError && error.code === 'media_fetch_failed';
        if (!isRetryable || numAttempts >= this.policy.maxFetchAttempts) throw error;
        await sleep(RETRY_DELAY_MS * 4 ** (numAttempts - 1), undefined, { signal: attempt.signal });
      }
    }
  }

  private async fetchOnce(url: URL, options: HttpFetchOptions, attempt: Attempt): Promise<Buffer> {
    let target = url;
    for (let numRedirects = 0; ; numRedirects++) {
      this.guard.check(target);
      const response = await this.get(target, options.modality, attempt.signal);
      const location = redirectLocation(response);
      if (location === undefined) return await this.readBody(response, options, attempt);
      discard(response);
      if (numRedirects >= this.policy.maxRedirects) {
        throw rejected(options.modality, 'was redirected too often');
      }
      target = parseRedirect(location, target);
    }
  }

  private async get(url: URL, modality: Modality, signal: AbortSignal): Promise<Response> {
    try {
      return await request(url, { method: 'GET', headers: REQUEST_HEADERS, dispatcher: this.agent, signal });
    } catch (error) {
      throw networkError(modality, error, signal);
    }
  }

  private async readBody(response: Response, options: HttpFetchOptions, attempt: Attempt): Promise<Buffer> {
    const { modality } = options;
    const { signal } = attempt;
    const maxBytes = maxEncodedBytes(this.policy, modality);
    try {
      checkStatus(response, modality);
      const declared = declaredLength(response, modality, maxBytes);
      const sink = new ByteSink(
        maxBytes,
        declared === undefined ? undefined : Math.min(declared, FIRST_BYTES),
      );
      let roomBytes = 0;
      const makeRoom = async (neededBytes: number): Promise<void> => {
        if (neededBytes <= roomBytes) return;
        roomBytes = Math.min(declared ?? maxBytes, Math.max(neededBytes, roomBytes * 2));
        await waitForRoom(roomBytes, options, attempt);
        throwIfAborted(signal);
      };
      await makeRoom(Math.min(declared ?? FIRST_BYTES, FIRST_BYTES));
      for await (const chunk of response.body) {
        const numBytes = sink.numBytes + (chunk as Buffer).length;
        if (numBytes > maxBytes) throw overCap(modality, maxBytes);
        await makeRoom(numBytes);
        sink.push(chunk as Buffer);
      }
      return sink.bytes();
    } catch (error) {
      discard(response);
      throw error instanceof SensoriumError ? error : networkError(modality, error, signal);
    }
  }
}

async function waitForRoom(numBytes: number, options: HttpFetchOptions, attempt: Attempt): Promise<void> {
  const startedAtMs = performance.now();
  await options.onLength?.(numBytes, Math.max(0, attempt.endsAtMs - startedAtMs));
  attempt.waitedMs += performance.now() - startedAtMs;
}

function redirectLocation(response: Response): string | undefined {
  const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode);
  const location = response.headers.location;
  return isRedirect && typeof location === 'string' ? location : undefined;
}

function checkStatus(response: Response, modality: Modality): void {
  const status = response.statusCode;
  if (status >= 500) throw failed(modality, `could not be fetched: its server answered ${status}`);
  if (status !== 200) throw rejected(modality, `could not be fetched: its server answered ${status}`);
  const encoding = response.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw rejected(modality, 'came in a content encoding that was not asked for');
  }
}

function declaredLength(response: Response, modality: Modality, maxBytes: number): number | undefined {
  const header = response.headers['content-length'];
  if (typeof header !== 'string' || !/^\d+$/.test(header)) return undefined;
  const length = Number(header);
  if (length > maxBytes) throw overCap(modality, maxBytes);
  return length;
}

/** Drops the rest of a body with its connection. */
function discard(response: Response): void {
  response.body.on('error', () => undefined);
  response.body.destroy();
}

function isTimeout(error: unknown): boolean {
  const cause = error instanceof SensoriumError ? error.cause : error;
  return (
    cause instanceof undiciErrors.ConnectTimeoutError ||
    cause instanceof undiciErrors.HeadersTimeoutError ||
    cause instanceof undiciErrors.BodyTimeoutError
  );
}

/** Errors of the guard's lookup come through the connector as they are; all others count as an unreachable host. */
function networkError(modality: Modality, error: unknown, signal: AbortSignal): unknown {
  if (error instanceof SensoriumError || signal.aborted) return error;
  return new SensoriumError(
    'media_fetch_failed',
    `The ${modality} could not be fetched: its server was not reached.`,
    {
      cause: error,
    },
  );
}

function failed(modality: Modality, reason: string): SensoriumError {
  return new SensoriumError('media_fetch_failed', `The ${modality} ${reason}.`);
}

function rejected(modality: Modality, reason: string): SensoriumError {
  return new SensoriumError('media_fetch_rejected', `The ${modality} ${reason}.`);
}

function timedOut(modality: Modality, cause: unknown): SensoriumError {
  return new SensoriumError('media_fetch_timeout', `The ${modality} did not arrive in time.`, { cause });
}

function overCap(modality: Modality, maxBytes: number): SensoriumError {
  return tooLarge(modality, `is larger than the limit of ${maxBytes} bytes`);
}
