import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { LLM } from '../llm.js';
import type { Authenticator } from './auth.js';
import type { BodyReader } from './body.js';
import type { Exchange } from './exchange.js';
import type { ServerMetrics } from './metrics.js';
import type { IdSource } from './request-id.js';

/** What the server needs of a loaded model. */
export type ServerLLM = Pick<
  LLM,
  | 'modelId'
  | 'modelIds'
  | 'maxModelLen'
  | 'info'
  | 'isa'
  | 'tileUnit'
  | 'dtype'
  | 'mediaRules'
  | 'submitChat'
  | 'submitPrompt'
  | 'renderChat'
  | 'task'
  | 'poolPrompt'
  | 'poolChat'
  | 'canTranscribe'
  | 'transcribe'
  | 'transcribeStream'
  | 'tokenizeInSlices'
  | 'detokenize'
  | 'stats'
  | 'observe'
  | 'close'
>;

export interface AppOptions {
  /** Any of them opens every route, each is a tenant of its own; none: no key is asked for. */
  apiKeys?: string[] | undefined;
  /** Largest request body. Default 64. */
  maxBodyMb?: number | undefined;
  /** Bodies in memory at once, over all requests. Default: eight of the largest. */
  maxInFlightBodyMb?: number | undefined;
  /** How long a client may leave a full stream unread before its request is aborted. Default 60 000. */
  stallTimeoutMs?: number | undefined;
  /** Default: no logs. */
  logger?: Logger | undefined;
}

/** State shared by all requests of one app. */
export interface ServerContext {
  readonly llm: ServerLLM;
  readonly log: Logger;
  readonly metrics: ServerMetrics;
  readonly auth: Authenticator;
  readonly bodies: BodyReader;
  readonly ids: IdSource;
  readonly stallTimeoutMs: number;
  /** JSON of what every answer says of the model. */
  readonly modelFields: string;
  /** Set once: new requests get `shutting_down`. */
  isDraining: boolean;
  /** Requests being answered now. */
  numActive: number;
  /** Called whenever `numActive` falls to zero. */
  onIdle?: (() => void) | undefined;
}

export interface Route {
  method: 'GET' | 'POST';
  path: string;
  /** No API key is asked for. */
  isOpen?: boolean;
  /** Answered while the server drains. */
  isServedWhileDraining?: boolean;
  handle(exchange: Exchange): Promise<void> | void;
}

export type NodeRequest = IncomingMessage & {
  /** Set by a body parser that the host application mounted before this app. */
  body?: unknown;
};
export type NodeResponse = ServerResponse;
