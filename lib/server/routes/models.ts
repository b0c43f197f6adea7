import { SensoriumError } from '../../errors.js';
import type { Exchange } from '../exchange.js';
import type { Route, ServerLLM } from '../types.js';

const startedAt = Math.floor(Date.now() / 1000);

const describe = (llm: ServerLLM): object => ({
  id: llm.modelId,
  object: 'model',
  created: startedAt,
  owned_by: 'sensorium',
  max_model_len: llm.maxModelLen,
  architecture: llm.info.architecture,
  modalities: ['text', ...llm.mediaRules.modalities],
});

export const models: Route = {
  method: 'GET',
  path: '/v1/models',
  handle: (exchange) => exchange.sendJson(200, { object: 'list', data: [describe(exchange.context.llm)] }),
};

function handleOne(exchange: Exchange): void {
  const { llm } = exchange.context;
  const path = (exchange.request.url ?? '').split('?', 1)[0]!;
  const name = decodeURIComponent(path.slice(path.indexOf('/v1/models/') + '/v1/models/'.length));
  if (name !== llm.modelId) {
    throw new SensoriumError('model_not_found', `The model '${name.slice(0, 256)}' is not served here.`, {
      param: 'model',
    });
  }
  exchange.sendJson(200, describe(llm));
}

export const modelByName: Route = { method: 'GET', path: '/v1/models/*name', handle: handleOne };
