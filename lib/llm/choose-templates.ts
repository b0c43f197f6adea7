import { existsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fallbackTemplate } from '../chat/fallback-templates.js';
import { SensoriumError } from '../errors.js';
import type { ChatTemplates } from '../model-folder/chat-templates.js';
import type { ModelFolder } from '../model-folder/model-folder.js';
import type { Task } from './runner.js';
import { shippedTemplatesPath } from './package-root.js';

/** Characters of a template file or text. */
const MAX_TEMPLATE_LENGTH = 2 ** 20;
const MAX_PATH_LENGTH = 4096;

/** Templates that come with the package, by model type: models that embed are asked otherwise than they chat. */
const EMBEDDING_TEMPLATES: ReadonlyMap<string, string> = new Map([
  ['phi3_v', 'template_vlm2vec_phi3v.jinja'],
]);

const invalidTemplateOption = (option: string, reason: string): SensoriumError =>
  new SensoriumError('invalid_option', `The chat template '${option.slice(0, 200)}' ${reason}.`, {
    param: 'chatTemplate',
  });

const isFile = (path: string): boolean => existsSync(path) && statSync(path).isFile();

/** The file that the option names: a path, or the name of a template that comes with the package. */
function findFile(option: string): string | undefined {
  if (option.includes('\n') || option.length > MAX_PATH_LENGTH) return undefined;
  if (isFile(option)) return option;
  const shipped = join(shippedTemplatesPath(), option);
  return basename(option) === option && isFile(shipped) ? shipped : undefined;
}

async function readOption(option: string): Promise<string> {
  const file = findFile(option);
  const isText = file === undefined && /[{}\n]/.test(option);
  if (file === undefined && !isText) throw invalidTemplateOption(option, 'is neither a file nor a template');
  const template = file === undefined ? option : await readFile(file, 'utf8');
  if (template.length <= MAX_TEMPLATE_LENGTH) return template;
  throw invalidTemplateOption(option, `has more than ${MAX_TEMPLATE_LENGTH} characters`);
}

/**
 * The template of the options (text, or a file's path), else the checkpoint's, else the usual one of its type.
 * Undefined: there is none, and only completions work. Rejects with `invalid_option`.
 */
export async function chooseTemplates(
  option: string | undefined,
  folder: ModelFolder,
  task: Task,
): Promise<ChatTemplates | undefined> {
  if (option !== undefined) return { default: await readOption(option) };
  const ofTask = task === 'embed' ? EMBEDDING_TEMPLATES.get(folder.modelType) : undefined;
  if (ofTask !== undefined) return { default: await readOption(ofTask) };
  if (folder.chatTemplates !== undefined) return folder.chatTemplates;
  const fallback = fallbackTemplate(folder.modelType);
  return fallback === undefined ? undefined : { default: fallback };
}
