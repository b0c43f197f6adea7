import type { Exchange } from '../exchange.js';
import { checkModel } from '../generation.js';
import type { Route, ServerLLM } from '../types.js';

const startedAt = Math.floor(Date.now() / 1000);

const describe = (llm: ServerLLM, id: string): object => ({
  id,
  object: 'model',
  created: startedAt,
  owned_by: 'sensorium',
  root: llm.modelId,
  max_model_len: llm.maxModelLen,
  architecture: llm.info.architecture,
  modalities: ['text', ...llm.mediaRules.modalities],
});

export const models: Route = {
  method: 'GET',
  path: '/v1/models',
  handle: (exchange) => {
    const { llm } = exchange.context;
    exchange.sendJson(200, { object: 'list', data: llm.modelIds.map((id) => describe(llm, id)) });
  },
};

function handleOne(exchange: Exchange): void {
  const { llm } = exchange.context;
  const path = (exchange.request.url ?? '').split('?', 1)[0]!;
  const name = decodeURIComponent(path.slice(path.indexOf('/v1/models/') + '/v1/models/'.length));
  checkModel(llm, name);
  exchange.sendJson(200, describe(llm, name));
}

export const modelByName: Route = { method: 'GET', path: '/v1/models/*name', handle: handleOne };
