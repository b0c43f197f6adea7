import { once } from 'node:events';
import { SensoriumError } from '../errors.js';
import type { Exchange } from './exchange.js';

/** A stream of server-sent events. The head is written with the first event, so that earlier errors are plain answers. */
export class EventStream {
  readonly #exchange: Exchange;
  #hasBegun = false;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Writes one event and waits while the client does not keep up. */
  async send(data: unknown): Promise<void> {
    const { response, signal } = this.#exchange;
    if (signal.aborted) throw new SensoriumError('request_cancelled', 'The client left.');
    if (!this.#hasBegun) this.#begin();
    if (!response.write(`data: ${JSON.stringify(data)}\n\n`)) await this.#untilDrained();
  }

  /** Tells an error in the stream and ends it. */
  fail(error: SensoriumError): void {
    const { response } = this.#exchange;
    if (response.destroyed) return;
    response.end(`data: ${JSON.stringify(error.toBody())}\n\ndata: [DONE]\n\n`);
  }

  end(): void {
    if (!this.#hasBegun) this.#begin();
    this.#exchange.response.end('data: [DONE]\n\n');
  }

  #begin(): void {
    this.#hasBegun = true;
    const { response, headers } = this.#exchange;
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
  }

  async #untilDrained(): Promise<void> {
    const { response, signal, context } = this.#exchange;
    const timeout = AbortSignal.timeout(context.stallTimeoutMs);
    try {
      await once(response, 'drain', { signal: AbortSignal.any([signal, timeout]) });
    } catch (cause) {
      response.destroy();
      throw new SensoriumError('request_cancelled', 'The client left or stopped reading.', { cause });
    }
  }
}
