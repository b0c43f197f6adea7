import { SensoriumError } from '../errors.js';
import type { Exchange } from './exchange.js';

/** A stream of server-sent events. The head is written with the first event, so that earlier errors are plain answers. */
export class EventStream {
  readonly #exchange: Exchange;
  #hasBegun = false;
  /** While somebody waits for the client to read. */
  #drained: Promise<void> | undefined;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Writes one event and waits while the client does not keep up. */
  async send(data: unknown): Promise<void> {
    if (!this.write(JSON.stringify(data))) await this.untilDrained();
  }

  /** Writes one event; false: the client does not keep up, so wait before the next. */
  write(json: string): boolean {
    const { response, hasLeft } = this.#exchange;
    if (hasLeft) throw new SensoriumError('request_cancelled', 'The client left.');
    if (!this.#hasBegun) this.#begin();
    return response.write(`data: ${json}\n\n`);
  }

  /** Resolves once the client has read what was written. Rejects, and ends the connection, when it leaves or stops reading. */
  untilDrained(): Promise<void> {
    return (this.#drained ??= this.#waitForDrain());
  }

  #waitForDrain(): Promise<void> {
    const { response, context } = this.#exchange;
    return new Promise((resolve, reject) => {
      const settle = (isDrained: boolean): void => {
        clearTimeout(timer);
        response.off('drain', onDrain).off('close', onGone).off('error', onGone);
        this.#drained = undefined;
        if (isDrained) return resolve();
        response.destroy();
        reject(new SensoriumError('request_cancelled', 'The client left or stopped reading.'));
      };
      const onDrain = (): void => settle(true);
      const onGone = (): void => settle(false);
      const timer = setTimeout(onGone, context.stallTimeoutMs);
      response.on('drain', onDrain).on('close', onGone).on('error', onGone);
    });
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
}
