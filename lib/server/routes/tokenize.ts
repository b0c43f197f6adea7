import { SensoriumError } from '../../errors.js';
import { parseDetokenize, parseTokenize } from '../../request/tokenize.js';
import { cacheSaltOf } from '../auth.js';
import type { Exchange } from '../exchange.js';
import { checkModel } from '../generation.js';
import type { Route } from '../types.js';

async function handleTokenize(exchange: Exchange): Promise<void> {
  const { llm } = exchange.context;
  const body = parseTokenize(await exchange.readJson(), llm.mediaRules);
  checkModel(llm, body.model);
  const cacheSalt = cacheSaltOf(exchange.tenant, body.cacheSalt);
  const tokens =
    'prompt' in body
      ? await llm.tokenizeInSlices(body.prompt, { addSpecialTokens: body.addSpecialTokens })
      : (await llm.renderChat(body.messages, { ...body.options, cacheSalt, signal: exchange.signal }))
          .tokenIds;
  exchange.sendJson(200, { tokens, count: tokens.length, max_model_len: llm.maxModelLen });
}

async function handleDetokenize(exchange: Exchange): Promise<void> {
  const { llm } = exchange.context;
  const body = parseDetokenize(await exchange.readJson());
  checkModel(llm, body.model);
  const bad = body.tokens.findIndex((token) => token >= llm.info.vocabSize);
  if (bad >= 0) {
    const param = `tokens[${bad}]`;
    const message = `'${param}' is outside the vocabulary of ${llm.info.vocabSize} tokens.`;
    throw new SensoriumError('invalid_value', message, { param });
  }
  exchange.sendJson(200, { prompt: llm.detokenize(body.tokens, { skipSpecialTokens: false }) });
}

export const tokenize: Route = { method: 'POST', path: '/tokenize', handle: handleTokenize };
export const detokenize: Route = { method: 'POST', path: '/detokenize', handle: handleDetokenize };
