import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** The client's `x-request-id` when it is short and harmless, else a new one. It only labels: nothing is keyed by it. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && /^[\w.:-]{1,128}$/.test(given) ? given : `req-${randomUUID()}`;
}

/** An id of our own, unique in the process and beyond. */
export function newId(prefix: string): string {
  return `${prefix}-${randomUUID().replace(/-/g, '')}`;
}
