import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { SensoriumError } from '../errors.js';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Checks API keys in constant time and names the tenant that each one is. */
export class Authenticator {
  readonly #digests: Buffer[];

  constructor(keys: readonly string[]) {
    this.#digests = keys.map(digest);
  }

  /** The tenant of the request (empty when no keys are set), or throws `invalid_api_key`. */
  check(request: IncomingMessage): string {
    if (this.#digests.length === 0) return '';
    const header = request.headers.authorization ?? '';
    const match = /^Bearer +(\S+) *$/i.exec(header);
    if (match === null) {
      throw new SensoriumError('invalid_api_key', "Send the API key as 'Authorization: Bearer KEY'.");
    }
    const given = digest(match[1]!);
    // Every key is compared, so that the time tells nothing about which one matched.
    const matches = this.#digests.map((known) => timingSafeEqual(known, given));
    if (!matches.includes(true)) throw new SensoriumError('invalid_api_key', 'The API key is not valid.');
    return given.toString('hex').slice(0, 32);
  }
}

/** The cache salt of a request: one tenant never shares caches with another, whatever salt it sends. */
export function cacheSaltOf(tenant: string, requested: string | undefined): string {
  if (tenant === '' && requested === undefined) return '';
  return digest(`${tenant}\n${requested ?? ''}`).toString('hex');
}
