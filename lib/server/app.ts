import type { IncomingMessage, ServerResponse } from 'node:http';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import { pino } from 'pino';
import { SensoriumError } from '../errors.js';
import { Authenticator } from './auth.js';
import { BodyReader } from './body.js';
import { runExchange } from './exchange.js';
import { ServerMetrics } from './metrics.js';
import { IdSource } from './request-id.js';
import { modelFields } from './responses.js';
import { ROUTES } from './route-table.js';
import type { AppOptions, Route, ServerContext, ServerLLM } from './types.js';

const DEFAULT_MAX_BODY_MB = 64;

export function createContext(llm: ServerLLM, options: AppOptions = {}): ServerContext {
  const maxBodyMb = options.maxBodyMb ?? DEFAULT_MAX_BODY_MB;
  return {
    llm,
    log: options.logger ?? pino({ level: 'silent' }),
    metrics: new ServerMetrics(llm),
    auth: new Authenticator(options.apiKeys ?? []),
    bodies: new BodyReader(maxBodyMb, options.maxInFlightBodyMb ?? maxBodyMb * 8),
    ids: new IdSource(),
    modelFields: modelFields(llm),
    stallTimeoutMs: options.stallTimeoutMs ?? 60_000,
    isDraining: false,
    numActive: 0,
  };
}

const notFound: Route = {
  method: 'GET',
  path: 'other',
  handle: ({ request }) => {
    const path = (request.url ?? '').split('?', 1)[0]!.slice(0, 256);
    throw new SensoriumError('route_not_found', `There is no route ${request.method} ${path}.`);
  },
};

function wrongMethod(route: Route): Route {
  return {
    ...route,
    handle: ({ request, headers }) => {
      headers['allow'] = route.method === 'GET' ? 'GET, HEAD' : route.method;
      throw new SensoriumError(
        'method_not_allowed',
        `${route.path} answers ${route.method}, not ${request.method}.`,
      );
    },
  };
}

/** Something Express itself refused, such as a path that does not decode. */
function refused(error: unknown): Route {
  return {
    ...notFound,
    handle: () => {
      const isClientFault = error instanceof Error && 'status' in error && Number(error.status) < 500;
      if (isClientFault) throw new SensoriumError('invalid_value', 'The request path is not valid.');
      throw error;
    },
  };
}

/** The Express app over a context made by `createContext`. */
export function createExpressApp(context: ServerContext): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  for (const route of ROUTES) {
    const register = route.method === 'GET' ? app.get.bind(app) : app.post.bind(app);
    register(route.path, (request: Request, response: Response) =>
      runExchange(context, route, request, response),
    );
    app.all(route.path, (request, response) => runExchange(context, wrongMethod(route), request, response));
  }
  app.use((request, response) => runExchange(context, notFound, request, response));
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) =>
    runExchange(context, refused(error), request, response),
  );
  return app;
}

/** An Express app that serves `llm`; mount it where you like: `app.use('/ai', createApp(llm))`. */
export function createApp(llm: ServerLLM, options: AppOptions = {}): Express {
  return createExpressApp(createContext(llm, options));
}

/** Dispatches exact paths without Express's router, and everything else through it. */
export function createListener(
  context: ServerContext,
): (request: IncomingMessage, response: ServerResponse) => void {
  const app = createExpressApp(context);
  const exact = new Map(ROUTES.map((route) => [route.path, route]));
  return (request, response) => {
    const route = exact.get(request.url ?? '');
    if (route === undefined || route.method !== request.method) app(request, response);
    else void runExchange(context, route, request, response);
  };
}
