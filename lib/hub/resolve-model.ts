import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileExists } from './cache-layout.js';
import { downloadModel } from './download.js';
import { isRepositoryName } from './repository.js';
import type { HubOptions } from './types.js';

/** What `model` names: a folder of this machine, or else a repository of the Hub, fetched into the cache. */
export async function resolveModel(model: string, options: HubOptions = {}): Promise<string> {
  const isThere = (await stat(model).catch(() => undefined)) !== undefined;
  if (isThere || !isRepositoryName(model)) return model;
  const folder = await downloadModel(model, options);
  await fetchCompanion(folder, options);
  return folder;
}

/** An adapter leaves its language model to another repository, which config.json names (Ultravox's `text_model_id`). */
async function fetchCompanion(
  folder: string,
  { revision: _ofAdapter, ...options }: HubOptions,
): Promise<void> {
  const text = await readFile(join(folder, 'config.json'), 'utf8');
  const companion = (JSON.parse(text) as Record<string, unknown> | null)?.['text_model_id'];
  if (typeof companion !== 'string' || !isRepositoryName(companion)) return;
  if (await fileExists(join(folder, 'text_model'))) return;
  try {
    await downloadModel(companion, options);
  } catch (error) {
    // A checkpoint may name it and hold its weights all the same; loading tells.
    process.emitWarning(`'${companion}', which this model names, was not fetched: ${String(error)}`, {
      type: 'SensoriumWarning',
    });
  }
}
