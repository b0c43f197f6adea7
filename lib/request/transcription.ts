import { SensoriumError } from '../errors.js';
import type { SpeechTask, TranscriptionOptions } from '../transcription/types.js';
import { bodyChecker, refuseUnsupported, type JsonObject, type UnsupportedRules } from './validate.js';

export type TranscriptionFormat = 'json' | 'text' | 'verbose_json' | 'srt' | 'vtt';

export interface TranscriptionRequest {
  /** Absent: the served model. */
  model?: string | undefined;
  options: TranscriptionOptions;
  format: TranscriptionFormat;
  /** Whether verbose_json tells segments. */
  hasSegments: boolean;
  isStream: boolean;
}

interface WireTranscription {
  model?: string;
  language?: string;
  prompt?: string;
  response_format?: string;
  timestamp_granularities?: string[];
  stream?: boolean;
  temperature?: number;
  top_p?: number;
  top_k?: number;
  min_p?: number;
  seed?: number;
  repetition_penalty?: number;
  frequency_penalty?: number;
  presence_penalty?: number;
  max_tokens?: number;
  max_completion_tokens?: number;
  max_tokens_per_window?: number;
}

const text = { type: 'string' };
const number = (minimum: number, maximum: number): object => ({ type: 'number', minimum, maximum });
const count = { type: 'integer', minimum: 1, maximum: 2 ** 31 - 1 };
const flag = { type: 'boolean' };
const MAX_PROMPT_LENGTH = 100_000;

const SCHEMA: Record<keyof WireTranscription, Record<string, unknown>> = {
  model: text,
  language: text,
  prompt: { ...text, maxLength: MAX_PROMPT_LENGTH },
  response_format: { enum: ['json', 'text', 'verbose_json', 'srt', 'vtt', 'diarized_json'] },
  timestamp_granularities: { type: 'array', maxItems: 8, items: { enum: ['segment', 'word'] } },
  stream: flag,
  temperature: number(0, 2) as Record<string, unknown>,
  top_p: { type: 'number', exclusiveMinimum: 0, maximum: 1 },
  top_k: { type: 'integer', minimum: -1, maximum: 2 ** 31 - 1 },
  min_p: number(0, 1) as Record<string, unknown>,
  seed: { type: 'integer' },
  repetition_penalty: { type: 'number', exclusiveMinimum: 0, maximum: 10 },
  frequency_penalty: number(-2, 2) as Record<string, unknown>,
  presence_penalty: number(-2, 2) as Record<string, unknown>,
  max_tokens: count,
  max_completion_tokens: count,
  max_tokens_per_window: count,
};

/** Known fields that are declined where they ask for something. */
const UNSUPPORTED: UnsupportedRules = {
  response_format: (value) => value === 'diarized_json',
  n: (value) => value !== '1',
  use_beam_search: (value) => /^(true|1)$/i.test(String(value)),
  include: () => true,
  hotwords: (value) => value !== '',
};

const checkBody = bodyChecker<WireTranscription>({ ...SCHEMA });

/** Form fields are texts: what stands for a number or a flag becomes one, and all else is left for the check to refuse. */
function toTyped(name: string, value: string): unknown {
  const schema = Object.hasOwn(SCHEMA, name) ? SCHEMA[name as keyof WireTranscription] : undefined;
  const trimmed = value.trim();
  if (schema?.['type'] === 'number' || schema?.['type'] === 'integer') {
    return trimmed !== '' && Number.isFinite(Number(trimmed)) ? Number(trimmed) : value;
  }
  if (schema?.['type'] === 'boolean') {
    if (/^(true|1)$/i.test(trimmed)) return true;
    return /^(false|0)$/i.test(trimmed) ? false : value;
  }
  return value;
}

/** `name[]` is a list as `name` is; of other fields the last one counts. An empty text is none. */
function toObject(fields: ReadonlyMap<string, readonly string[]>): JsonObject {
  const body: JsonObject = {};
  for (const [field, values] of fields) {
    const name = field.replace(/\[\]$/, '');
    const isList = Object.hasOwn(SCHEMA, name) && SCHEMA[name as keyof WireTranscription]['type'] === 'array';
    const given = values.filter((value) => value !== '');
    if (given.length === 0) continue;
    body[name] = isList
      ? [...((body[name] as unknown[] | undefined) ?? []), ...given]
      : toTyped(name, given.at(-1) as string);
  }
  return body;
}

function checkStream(format: TranscriptionFormat, isStream: boolean): void {
  if (!isStream || format === 'json' || format === 'text') return;
  throw new SensoriumError(
    'invalid_value',
    `'stream' goes with the formats json and text, not with ${format}.`,
    {
      param: 'response_format',
    },
  );
}

function checkGranularities(format: TranscriptionFormat, granularities: string[] | undefined): void {
  if (granularities === undefined || format === 'verbose_json') return;
  const message = "'timestamp_granularities' needs 'response_format': verbose_json.";
  throw new SensoriumError('invalid_value', message, { param: 'timestamp_granularities' });
}

/** Checks the fields of POST /v1/audio/transcriptions and /v1/audio/translations. */
export function parseTranscription(
  fields: ReadonlyMap<string, readonly string[]>,
  task: SpeechTask,
): TranscriptionRequest {
  const body = toObject(fields);
  const wire = checkBody(body);
  refuseUnsupported(body, UNSUPPORTED);
  const format = (wire.response_format ?? 'json') as TranscriptionFormat;
  const isStream = wire.stream ?? false;
  checkStream(format, isStream);
  checkGranularities(format, wire.timestamp_granularities);
  const granularities = wire.timestamp_granularities ?? ['segment'];
  const hasSegments = granularities.includes('segment');
  const options = {
    ...toOptions(wire, task, format, isStream),
    hasNoSpeechProbability: format === 'verbose_json' && hasSegments,
    hasWordTimestamps: granularities.includes('word'),
  };
  return { model: wire.model, format, hasSegments, isStream, options };
}

function toOptions(
  wire: WireTranscription,
  task: SpeechTask,
  format: TranscriptionFormat,
  isStream: boolean,
): TranscriptionOptions {
  return {
    task,
    language: wire.language,
    prompt: wire.prompt,
    hasTimestamps: format === 'verbose_json' || format === 'srt' || format === 'vtt',
    // What was told cannot be taken back for a better try.
    temperature: wire.temperature ?? (isStream ? 0 : undefined),
    topP: wire.top_p,
    topK: wire.top_k,
    minP: wire.min_p,
    seed: wire.seed,
    repetitionPenalty: wire.repetition_penalty,
    frequencyPenalty: wire.frequency_penalty,
    presencePenalty: wire.presence_penalty,
    maxTokens: wire.max_completion_tokens ?? wire.max_tokens,
    maxTokensPerWindow: wire.max_tokens_per_window,
  };
}
