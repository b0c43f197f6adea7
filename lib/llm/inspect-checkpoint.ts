import { resolveModel } from '../hub/resolve-model.js';
import type { HubOptions } from '../hub/types.js';
import { inspectModel, type Inspection } from '../inspect/inspect.js';
import { loadAddon } from '../native/load.js';
import { embeddedModelPath } from './package-root.js';

/** What the checkpoint `model` is and needs (default: the embedded one); a name on the Hub is fetched first. */
export async function inspectCheckpoint(
  model: string | undefined,
  options: HubOptions = {},
): Promise<Inspection> {
  const folder = model === undefined ? embeddedModelPath() : await resolveModel(model, options);
  return await inspectModel(folder, loadAddon());
}
