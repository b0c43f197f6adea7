import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SensoriumError } from '../errors.js';
import type { Processor } from '../processors/types.js';
import type { LLMOptions } from './types.js';

/** What a loaded model does: answer prompts, turn them into embeddings, or write down speech. */
export type Task = 'generate' | 'embed' | 'transcribe';

/** Sentence-transformers' list of what follows the language model: pooling, normalising. */
const POOLING_FILE = 'modules.json';

/** The task of the option, else the one that the checkpoint is made for. Throws `invalid_option`. */
export async function chooseTask(
  runner: LLMOptions['runner'],
  folder: string,
  { speech }: Processor,
): Promise<Task> {
  if (speech !== undefined) {
    if (runner !== 'pooling') return 'transcribe';
    const message = 'The option runner is pooling, but this model writes down speech: use auto or generate.';
    throw new SensoriumError('invalid_option', message, { param: 'runner' });
  }
  if (runner === 'pooling') return 'embed';
  if (runner === 'generate') return 'generate';
  const isPooling = (await stat(join(folder, POOLING_FILE)).catch(() => undefined)) !== undefined;
  return isPooling ? 'embed' : 'generate';
}
