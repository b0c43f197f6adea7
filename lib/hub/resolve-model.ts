import { stat } from 'node:fs/promises';
import { downloadModel } from './download.js';
import { isRepositoryName } from './repository.js';
import type { HubOptions } from './types.js';

/** What `model` names: a folder of this machine, or else a repository of the Hub, fetched into the cache. */
export async function resolveModel(model: string, options: HubOptions = {}): Promise<string> {
  const isThere = (await stat(model).catch(() => undefined)) !== undefined;
  if (isThere || !isRepositoryName(model)) return model;
  return await downloadModel(model, options);
}
