import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { SensoriumError } from '../errors.js';
import { createContext, createListener } from './app.js';
import type { AppOptions, ServerContext, ServerLLM } from './types.js';

export interface ServeOptions extends AppOptions {
  /** Default 127.0.0.1. */
  host?: string | undefined;
  /** Default 8000; 0 takes a free one. */
  port?: number | undefined;
  /** A Unix socket instead of host and port. */
  uds?: string | undefined;
  /** How long running requests may finish once `close` is called. Default 30 000. */
  shutdownGraceMs?: number | undefined;
  /** Time for a request's headers, and for all of it. Defaults 20 000 and 300 000. */
  headersTimeoutMs?: number | undefined;
  requestTimeoutMs?: number | undefined;
}

/** Time for the last answers, errors of aborted requests, to be written. */
const FAREWELL_MS = 1_000;

export interface RunningServer {
  /** `http://127.0.0.1:8000`, or the path of the socket. */
  readonly url: string;
  readonly server: Server;
  /** Refuses new requests, lets running ones finish within the grace, closes the engine. Idempotent. */
  close(): Promise<void>;
}

/** Malformed or slow requests that never became one: answered on the socket, in the envelope. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const isTimeout = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  const failure = isTimeout
    ? new SensoriumError('request_timeout', 'The request did not arrive in time.')
    : new SensoriumError('invalid_value', 'The bytes sent are not a valid HTTP request.');
  const body = JSON.stringify(failure.toBody());
  const phrase = isTimeout ? 'Request Timeout' : 'Bad Request';
  const head = `HTTP/1.1 ${failure.status} ${phrase}\r\nContent-Type: application/json; charset=utf-8\r\n`;
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`, () => {
    (socket as Socket).destroySoon();
  });
}

function createHttpServer(context: ServerContext, options: ServeOptions): Server {
  const server = createServer({ connectionsCheckingInterval: 1_000 }, createListener(context));
  server.headersTimeout = options.headersTimeoutMs ?? 20_000;
  server.requestTimeout = options.requestTimeoutMs ?? 300_000;
  server.keepAliveTimeout = 65_000;
  server.maxHeadersCount = 200;
  server.maxConnections = 4096;
  server.on('clientError', answerClientError);
  return server;
}

function listen(server: Server, { host = '127.0.0.1', port = 8000, uds }: ServeOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const onListening = (): void => {
      server.off('error', reject);
      if (uds !== undefined) return resolve(uds);
      const { port: actual } = server.address() as AddressInfo;
      resolve(`http://${host.includes(':') ? `[${host}]` : host}:${actual}`);
    };
    if (uds === undefined) server.listen({ port, host }, onListening);
    else server.listen({ path: uds }, onListening);
  });
}

/** Resolves when no request is being answered, or when the time is over. */
function untilIdle(context: ServerContext, graceMs: number): Promise<void> {
  if (context.numActive === 0) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, graceMs);
    context.onIdle = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

/** Serves `llm` over HTTP until `close`. The server owns `llm` from here on: closing closes it. */
export async function serve(llm: ServerLLM, options: ServeOptions = {}): Promise<RunningServer> {
  const context = createContext(llm, options);
  context.metrics.addProcessMetrics();
  const server = createHttpServer(context, options);
  const url = await listen(server, options);
  context.log.info({ model: llm.modelId, isa: llm.isa, dtype: llm.dtype }, `listening on ${url}`);

  const shutDown = async (): Promise<void> => {
    context.isDraining = true;
    const graceMs = options.shutdownGraceMs ?? 30_000;
    context.log.info({ numActive: context.numActive, graceMs }, 'draining');
    await untilIdle(context, graceMs);
    const isClosed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    await llm.close({ graceMs: 0 });
    await untilIdle(context, FAREWELL_MS);
    server.closeAllConnections();
    await isClosed;
    context.metrics.close();
    context.log.info('closed');
  };
  let closing: Promise<void> | undefined;
  return { url, server, close: () => (closing ??= shutDown()) };
}
