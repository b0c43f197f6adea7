import { SensoriumError } from '../errors.js';
import type { NativeDecodingRules } from '../native/addon.js';
import type { Tokenizer } from '../tokenizer/tokenizer.js';
import { LANGUAGE_CODES } from './languages.js';
import type { SpeechTask } from './types.js';

type JsonObject = Record<string, unknown>;

/** The tokens that a checkpoint steers speech recognition with. Versions of Whisper number them differently. */
export interface SpeechTokens {
  startOfTranscript: number;
  endOfText: number;
  startOfPrevious: number | undefined;
  noSpeech: number | undefined;
  noTimestamps: number;
  /** Empty for models that know English only. */
  languages: ReadonlyMap<string, number>;
  tasks: Record<SpeechTask, number | undefined>;
  suppressed: number[];
  beginSuppressed: number[];
  maxInitialTimestampIndex: number | undefined;
}

/** Seconds from one timestamp token to the next. */
export const SECONDS_PER_TIMESTAMP = 0.02;

const isId = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 0;

function idAt(config: JsonObject, key: string): number | undefined {
  const value = config[key];
  return isId(value) ? value : undefined;
}

function idsAt(generationConfig: JsonObject, config: JsonObject, key: string): number[] {
  const value = generationConfig[key] ?? config[key];
  return Array.isArray(value) ? value.filter(isId) : [];
}

/** Entries `{ "<|en|>": id }` by what stands between the bars. */
function idsByName(value: unknown): Map<string, number> {
  const ids = new Map<string, number>();
  if (typeof value !== 'object' || value === null) return ids;
  for (const [name, id] of Object.entries(value)) {
    if (isId(id)) ids.set(name.replace(/^<\|(.*)\|>$/, '$1'), id);
  }
  return ids;
}

/**
 * From generation_config.json, else from how the tokens are usually spelled. Throws `invalid_checkpoint` where a token
 * without which nothing works is in neither.
 */
export function readSpeechTokens(
  generationConfig: JsonObject,
  config: JsonObject,
  tokenizer: Tokenizer,
): SpeechTokens {
  const spelled = (name: string): number | undefined => tokenizer.tokenToId(`<|${name}|>`);
  const required = (key: string, name: string): number => {
    const id = idAt(generationConfig, key) ?? idAt(config, key) ?? spelled(name);
    if (id !== undefined) return id;
    throw new SensoriumError(
      'invalid_checkpoint',
      `generation_config.json has no ${key}, and the tokenizer no <|${name}|>.`,
    );
  };
  const tasks = idsByName(generationConfig['task_to_id']);
  return {
    startOfTranscript: required('decoder_start_token_id', 'startoftranscript'),
    endOfText: required('eos_token_id', 'endoftext'),
    noTimestamps: required('no_timestamps_token_id', 'notimestamps'),
    startOfPrevious: idAt(generationConfig, 'prev_sot_token_id') ?? spelled('startofprev'),
    noSpeech: spelled('nospeech') ?? spelled('nocaptions'),
    languages:
      generationConfig['is_multilingual'] === false ? new Map() : readLanguages(generationConfig, spelled),
    tasks: {
      transcribe: tasks.get('transcribe') ?? spelled('transcribe'),
      translate: tasks.get('translate') ?? spelled('translate'),
    },
    suppressed: idsAt(generationConfig, config, 'suppress_tokens'),
    beginSuppressed: idsAt(generationConfig, config, 'begin_suppress_tokens'),
    maxInitialTimestampIndex: idAt(generationConfig, 'max_initial_timestamp_index'),
  };
}

function readLanguages(
  generationConfig: JsonObject,
  spelled: (name: string) => number | undefined,
): Map<string, number> {
  const listed = idsByName(generationConfig['lang_to_id']);
  if (listed.size > 0) return listed;
  const found = LANGUAGE_CODES.map((code) => [code, spelled(code)] as const);
  return new Map(found.filter((entry): entry is [string, number] => entry[1] !== undefined));
}

/** What a window's answer may consist of. */
export function decodingRules(tokens: SpeechTokens, hasTimestamps: boolean): NativeDecodingRules {
  return {
    beginSuppressedIds: tokens.beginSuppressed,
    suppressedIds: tokens.suppressed,
    timestamps: hasTimestamps
      ? {
          noTimestampsId: tokens.noTimestamps,
          eosId: tokens.endOfText,
          maxInitialIndex: tokens.maxInitialTimestampIndex,
        }
      : undefined,
  };
}

/** The decoder's prompt: what came before, then language and task. */
export function decoderPrompt(
  tokens: SpeechTokens,
  choice: { language: string; task: SpeechTask; hasTimestamps: boolean; previous: readonly number[] },
): number[] {
  const { language, task, hasTimestamps, previous } = choice;
  const { startOfPrevious, languages, tasks, noTimestamps } = tokens;
  const history =
    startOfPrevious === undefined || previous.length === 0 ? [] : [startOfPrevious, ...previous];
  const steering = languages.size === 0 ? [] : [languages.get(language), tasks[task]];
  return [
    ...history,
    tokens.startOfTranscript,
    ...steering.filter((id) => id !== undefined),
    ...(hasTimestamps ? [] : [noTimestamps]),
  ];
}
