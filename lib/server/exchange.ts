import type { OutgoingHttpHeaders } from 'node:http';
import { SensoriumError, toSensoriumError } from '../errors.js';
import type { FormBody } from './multipart.js';
import type { NodeRequest, NodeResponse, Route, ServerContext } from './types.js';

/** How long, and how much of, an unwanted request body is read away so that the client sees the answer. */
const LINGER_MS = 5_000;
const LINGER_BYTES = 2 ** 28;

/** One request and its answer. */
export class Exchange {
  readonly requestId: string;
  /** Of the answer, whatever it says. Given with its head: setting them one by one takes a slower way through node:http. */
  readonly headers: OutgoingHttpHeaders;
  #controller: AbortController | undefined;
  #hasLeft = false;
  /** Names the API key's holder; empty without keys. */
  tenant = '';

  constructor(
    readonly context: ServerContext,
    readonly request: NodeRequest,
    readonly response: NodeResponse,
  ) {
    this.requestId = context.ids.requestIdOf(request);
    this.headers = { 'x-request-id': this.requestId };
    const onEnd = (): void => {
      if (!response.writableFinished) this.#leave();
    };
    response.on('close', onEnd);
    response.on('error', onEnd);
  }

  /** Whether the client left before the answer was complete. */
  get hasLeft(): boolean {
    return this.#hasLeft;
  }

  /** Aborts when the client leaves before the answer is complete. Made when first read: it costs more than checking a small body. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#hasLeft) this.#controller.abort();
    return this.#controller.signal;
  }

  #leave(): void {
    this.#hasLeft = true;
    this.#controller?.abort();
  }

  readJson(): Promise<unknown> {
    return this.context.bodies.readJson(this.request);
  }

  readForm(): Promise<FormBody> {
    return this.context.bodies.readForm(this.request);
  }

  sendJson(status: number, body: unknown): void {
    this.sendJsonText(status, JSON.stringify(body));
  }

  /** `text` is JSON already. */
  sendJsonText(status: number, text: string): void {
    this.sendText(status, 'application/json; charset=utf-8', text);
  }

  sendText(status: number, contentType: string, text: string): void {
    const { headers, response } = this;
    headers['content-type'] = contentType;
    headers['content-length'] = Buffer.byteLength(text);
    response.writeHead(status, headers);
    // As a string it goes out in one piece with the head.
    response.end(this.request.method === 'HEAD' ? undefined : text);
  }

  /** Answers with the error's envelope; when the answer has already begun, ends the connection. */
  sendError(error: SensoriumError): void {
    const { request, response } = this;
    if (response.headersSent || response.destroyed) {
      response.destroy();
      return;
    }
    if (error.status === 401) this.headers['www-authenticate'] = 'Bearer';
    if (error.status === 429 || error.status === 503) this.headers['retry-after'] = '1';
    if (request.complete || request.method === 'GET' || request.method === 'HEAD') {
      this.sendJson(error.status, error.toBody());
      return;
    }
    this.#sendBeforeBodyEnds(error);
  }

  /**
   * The answer comes before the body was read. Closing at once would reset the connection under a client that still
   * writes and lose the answer, so the rest is read away within bounds first.
   */
  #sendBeforeBodyEnds(error: SensoriumError): void {
    const { request, response } = this;
    const bytes = Buffer.from(JSON.stringify(error.toBody()));
    response.writeHead(error.status, {
      ...this.headers,
      'content-type': 'application/json; charset=utf-8',
      'content-length': bytes.length,
      connection: 'close',
    });
    response.write(bytes);
    let numBytes = 0;
    const finish = (): void => {
      clearTimeout(timer);
      response.end();
    };
    const timer = setTimeout(finish, LINGER_MS);
    request.on('data', (chunk: Buffer) => {
      numBytes += chunk.length;
      if (numBytes > LINGER_BYTES) finish();
    });
    request.once('end', finish).once('close', finish).once('error', finish);
    request.resume();
  }
}

function checkDraining(context: ServerContext, route: Route): void {
  if (!context.isDraining || route.isServedWhileDraining === true) return;
  throw new SensoriumError('shutting_down', 'The server is shutting down and takes no new requests.');
}

/** Runs one route: key, drain state, handler; every error becomes an envelope, every request is counted and logged. */
export async function runExchange(
  context: ServerContext,
  route: Route,
  request: NodeRequest,
  response: NodeResponse,
): Promise<void> {
  const startMs = performance.now();
  const exchange = new Exchange(context, request, response);
  let failure: SensoriumError | undefined;
  context.numActive++;
  try {
    if (context.isDraining) exchange.headers['connection'] = 'close';
    if (route.isOpen !== true) exchange.tenant = context.auth.check(request);
    checkDraining(context, route);
    await route.handle(exchange);
  } catch (error) {
    failure = toSensoriumError(error);
    exchange.sendError(failure);
  } finally {
    context.numActive--;
    if (context.numActive === 0) context.onIdle?.();
  }
  report(exchange, route, performance.now() - startMs, failure);
}

function report(
  exchange: Exchange,
  route: Route,
  durationMs: number,
  failure: SensoriumError | undefined,
): void {
  const { context, request, response, requestId } = exchange;
  const { log } = context;
  const status = failure?.status ?? response.statusCode;
  context.metrics.countRequest(route.path, status);
  if (!log.isLevelEnabled(status >= 500 ? 'error' : 'info')) return;
  const fields = {
    requestId,
    method: request.method,
    path: route.path,
    status,
    durationMs: Math.round(durationMs),
  };
  if (failure === undefined) log.info(fields, 'request');
  else if (failure.status >= 500) log.error({ ...fields, code: failure.code, err: failure }, failure.message);
  else log.info({ ...fields, code: failure.code, param: failure.param }, failure.message);
}
