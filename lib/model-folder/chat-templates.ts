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

/** Looks where checkpoints keep it, newest place first: chat_template.jinja, chat_template.json, tokenizer_config.json. */
export async function readChatTemplates(
  path: string,
  tokenizerConfig: JsonObject,
): Promise<ChatTemplates | undefined> {
  const jinja = await readOptionalText(join(path, 'chat_template.jinja'));
  if (jinja !== undefined) return { default: jinja };
  const file = await readOptionalJson(join(path, 'chat_template.json'));
  return (
    fromValue(file?.chat_template, 'chat_template.json') ??
    fromValue(tokenizerConfig.chat_template, 'tokenizer_config.json')
  );
}
