import { join } from 'node:path';
import { SensoriumError } from '../errors.js';
import { isJsonObject, readOptionalJson, readOptionalText, type JsonObject } from './json-file.js';

/** Jinja sources: the one for chats, and the one for chats with tools where the checkpoint has its own. */
export interface ChatTemplates {
  default: string;
  toolUse?: string | undefined;
}

function fromNamedList(list: readonly unknown[], file: string): ChatTemplates {
  const byName = new Map<string, string>();
  for (const entry of list) {
    if (!isJsonObject(entry) || typeof entry.name !== 'string' || typeof entry.template !== 'string') {
      throw new SensoriumError(
        'invalid_checkpoint',
        `${file}: chat_template holds an entry without name and template.`,
      );
    }
    byName.set(entry.name, entry.template);
  }
  const first = byName.get('default') ?? [...byName.values()][0];
  if (first === undefined)
    throw new SensoriumError('invalid_checkpoint', `${file}: chat_template is an empty list.`);
  return { default: first, toolUse: byName.get('tool_use') };
}

/** The value of a `chat_template` key: a string, or a list of { name, template }. */
function fromValue(value: unknown, file: string): ChatTemplates | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'string') return { default: value };
  if (Array.isArray(value)) return fromNamedList(value, file);
  throw new SensoriumError('invalid_checkpoint', `${file}: chat_template is neither a string nor a list.`);
}

/** Whether a template prints the tools it is given. */
const printsTools = (template: string): boolean => /\btools\b/.test(template);

/** The processor's template: chat_template.jinja, chat_template.json, or a key of processor_config.json. */
async function readProcessorTemplates(path: string): Promise<ChatTemplates | undefined> {
  const jinja = await readOptionalText(join(path, 'chat_template.jinja'));
  if (jinja !== undefined) return { default: jinja };
  for (const name of ['chat_template.json', 'processor_config.json']) {
    const templates = fromValue((await readOptionalJson(join(path, name)))?.chat_template, name);
    if (templates !== undefined) return templates;
  }
  return undefined;
}

/**
 * Looks where checkpoints keep templates, newest place first: the processor's, then the tokenizer's. With tools, a
 * template named `tool_use` is taken, or the tokenizer's where only that one prints tools.
 */
export async function readChatTemplates(
  path: string,
  tokenizerConfig: JsonObject,
): Promise<ChatTemplates | undefined> {
  const processor = await readProcessorTemplates(path);
  const tokenizer = fromValue(tokenizerConfig.chat_template, 'tokenizer_config.json');
  const toolUse = await readOptionalText(join(path, 'additional_chat_templates', 'tool_use.jinja'));
  const templates = processor ?? tokenizer;
  if (templates === undefined) return undefined;
  const own = toolUse ?? templates.toolUse ?? tokenizer?.toolUse;
  const isTokenizerNeeded = !printsTools(templates.default) && printsTools(tokenizer?.default ?? '');
  return { ...templates, toolUse: own ?? (isTokenizerNeeded ? tokenizer?.default : undefined) };
}
