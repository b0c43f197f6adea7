import { isAscii } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { SensoriumError } from '../errors.js';
import { checkJsonBounds } from './json-bounds.js';
import { readForm, type FormBody } from './multipart.js';
import type { NodeRequest } from './types.js';

const MEBIBYTE = 2 ** 20;
/** What the borders of a form's parts add to them. */
const FORM_OVERHEAD_BYTES = 64 * 1024;
const utf8 = new TextDecoder('utf-8', { fatal: true });

function checkHeaders(request: IncomingMessage): void {
  const contentType = request.headers['content-type'] ?? 'application/json';
  if (!/^application\/([\w.-]+\+)?json\s*(;|$)/i.test(contentType.trim())) {
    throw new SensoriumError(
      'unsupported_content_type',
      `The body must be JSON: send 'Content-Type: application/json', not '${contentType.slice(0, 100)}'.`,
    );
  }
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new SensoriumError('unsupported_content_type', 'Compressed request bodies are not accepted.');
  }
}

function parseJson(bytes: Buffer): unknown {
  checkJsonBounds(bytes);
  try {
    // Bodies are large where they hold base64, which is ASCII: copied without decoding, several times faster.
    return JSON.parse(isAscii(bytes) ? bytes.toString('latin1') : utf8.decode(bytes));
  } catch (error) {
    const reason = error instanceof SyntaxError ? 'it does not parse' : 'it is not UTF-8';
    throw new SensoriumError('invalid_json', `The body is not valid JSON: ${reason}.`, { cause: error });
  }
}

const tooManyBodies = (): SensoriumError =>
  new SensoriumError('rate_limited', 'Too many large request bodies at once; try again soon.');

/** Reads JSON bodies under a cap for each and a budget for all that are in memory at once. */
export class BodyReader {
  readonly #maxBytes: number;
  readonly #maxInFlightBytes: number;
  #inFlightBytes = 0;

  constructor(maxBodyMb: number, maxInFlightMb: number) {
    this.#maxBytes = Math.floor(maxBodyMb * MEBIBYTE);
    this.#maxInFlightBytes = Math.max(this.#maxBytes, Math.floor(maxInFlightMb * MEBIBYTE));
  }

  /** The parsed body; counted against the cap while it streams in. */
  async readJson(request: NodeRequest): Promise<unknown> {
    if (request.body !== undefined) return request.body;
    checkHeaders(request);
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > this.#maxBytes) throw this.#tooLarge();
    return parseJson(await this.#readBytes(request));
  }

  /** A multipart form; counted against the cap while it streams in. */
  async readForm(request: NodeRequest): Promise<FormBody> {
    const declared = Number(request.headers['content-length'] ?? 0);
    if (declared > this.#maxBytes + FORM_OVERHEAD_BYTES) throw this.#tooLarge();
    let numBytes = 0;
    const onBytes = (count: number): void => {
      numBytes += count;
      this.#inFlightBytes += count;
      if (this.#inFlightBytes > this.#maxInFlightBytes) throw tooManyBodies();
    };
    try {
      return await readForm(request, { maxBytes: this.#maxBytes, tooLarge: () => this.#tooLarge(), onBytes });
    } finally {
      this.#inFlightBytes -= numBytes;
    }
  }

  /** By events: an iterator over the request costs as much as all the rest of a small one. */
  #readBytes(request: IncomingMessage): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let numBytes = 0;
      // Listeners of a body that was read stay: taking them off would cost more than what they hold.
      const fail = (error: SensoriumError): void => {
        this.#inFlightBytes -= numBytes;
        numBytes = 0;
        request.off('data', onData).pause();
        reject(error);
      };
      const onData = (chunk: Buffer): void => {
        numBytes += chunk.length;
        this.#inFlightBytes += chunk.length;
        chunks.push(chunk);
        if (numBytes > this.#maxBytes) fail(this.#tooLarge());
        else if (this.#inFlightBytes > this.#maxInFlightBytes) fail(tooManyBodies());
      };
      const onEnd = (): void => {
        this.#inFlightBytes -= numBytes;
        resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, numBytes));
      };
      // Whoever leaves early is told as an error.
      const onError = (cause: Error): void => {
        fail(
          new SensoriumError('request_cancelled', 'The client left before the body was complete.', { cause }),
        );
      };
      request.on('data', onData).on('end', onEnd).on('error', onError);
    });
  }

  #tooLarge(): SensoriumError {
    const megabytes = Number((this.#maxBytes / MEBIBYTE).toFixed(3));
    return new SensoriumError('body_too_large', `The body is larger than ${megabytes} MiB (--max-body-mb).`);
  }
}
