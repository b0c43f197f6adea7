import { SensoriumError } from '../../errors.js';
import type { Exchange } from '../exchange.js';
import type { Route } from '../types.js';
import { VERSION } from '../version.js';

/** Green while requests are taken; `stats` throws once the engine is gone. */
function handleHealth(exchange: Exchange): void {
  const { context } = exchange;
  if (context.isDraining) throw new SensoriumError('shutting_down', 'The server is shutting down.');
  context.llm.stats();
  exchange.sendJson(200, { status: 'ok' });
}

async function handleMetrics(exchange: Exchange): Promise<void> {
  const { metrics } = exchange.context;
  exchange.sendText(200, metrics.contentType, await metrics.render());
}

export const health: Route = {
  method: 'GET',
  path: '/health',
  isOpen: true,
  isServedWhileDraining: true,
  handle: handleHealth,
};

export const metrics: Route = {
  method: 'GET',
  path: '/metrics',
  isServedWhileDraining: true,
  handle: handleMetrics,
};

export const version: Route = {
  method: 'GET',
  path: '/version',
  handle: (exchange) => exchange.sendJson(200, { version: VERSION }),
};
