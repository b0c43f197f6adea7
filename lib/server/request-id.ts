import { randomFillSync } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

const POOL_BYTES = 8192;
/** As many characters as a UUID. */
const REQUEST_ID_BYTES = 18;
const ID_BYTES = 16;

/** Makes random ids, unique in the process and beyond, from bytes drawn many at a time: randomUUID costs several times as much. */
export class IdSource {
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #numUsed = POOL_BYTES;

  /** `prefix-` and 32 hexadecimal digits. */
  next(prefix: string): string {
    return `${prefix}-${this.#digits(ID_BYTES)}`;
  }

  /** The client's `x-request-id` when it is short and harmless, else a new one. It only labels: nothing is keyed by it. */
  requestIdOf(request: IncomingMessage): string {
    const given = request.headers['x-request-id'];
    return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given)
      ? given
      : `req-${this.#digits(REQUEST_ID_BYTES)}`;
  }

  #digits(numBytes: number): string {
    if (this.#numUsed + numBytes > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#numUsed = 0;
    }
    const start = this.#numUsed;
    this.#numUsed += numBytes;
    return this.#pool.toString('hex', start, this.#numUsed);
  }
}
