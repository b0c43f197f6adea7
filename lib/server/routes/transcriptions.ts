import { randomUUID } from 'node:crypto';
import { SensoriumError, toSensoriumError } from '../../errors.js';
import {
  parseTranscription,
  type TranscriptionFormat,
  type TranscriptionRequest,
} from '../../request/transcription.js';
import { durationUsage, toSrt, toVerboseJson, toVtt } from '../../transcription/formats.js';
import type { SpeechTask, Transcription, TranscriptionOptions } from '../../transcription/types.js';
import { cacheSaltOf } from '../auth.js';
import type { Exchange } from '../exchange.js';
import { checkModel } from '../generation.js';
import type { FormBody } from '../multipart.js';
import { EventStream } from '../sse.js';
import type { Route } from '../types.js';

function fileOf({ file, fields }: FormBody): Uint8Array {
  if (file?.fieldName === 'file') return file.bytes;
  if (fields.has('file')) {
    throw new SensoriumError('invalid_type', "'file' must be an uploaded file, not a text.", {
      param: 'file',
    });
  }
  throw new SensoriumError('missing_field', "'file' is required.", { param: 'file' });
}

const PLAIN = 'text/plain; charset=utf-8';
const TEXTS: Partial<
  Record<TranscriptionFormat, { contentType: string; write: (result: Transcription) => string }>
> = {
  text: { contentType: PLAIN, write: ({ text }) => text },
  srt: { contentType: 'application/x-subrip; charset=utf-8', write: toSrt },
  vtt: { contentType: 'text/vtt; charset=utf-8', write: toVtt },
};

function send(
  exchange: Exchange,
  result: Transcription,
  { format, hasSegments }: TranscriptionRequest,
): void {
  const plain = TEXTS[format];
  if (plain !== undefined) exchange.sendText(200, plain.contentType, plain.write(result));
  else if (format === 'verbose_json') exchange.sendJson(200, toVerboseJson(result, hasSegments));
  else exchange.sendJson(200, { text: result.text, usage: durationUsage(result) });
}

/** OpenAI's events: pieces of text, then the whole. */
async function stream(exchange: Exchange, bytes: Uint8Array, options: TranscriptionOptions): Promise<void> {
  const events = new EventStream(exchange);
  try {
    for await (const event of exchange.context.llm.transcribeStream(bytes, options)) {
      if (event.type === 'delta') await events.send({ type: 'transcript.text.delta', delta: event.text });
      else {
        const { transcription } = event;
        const usage = durationUsage(transcription);
        await events.send({ type: 'transcript.text.done', text: transcription.text, usage });
      }
    }
    events.end();
  } catch (error) {
    if (!events.hasBegun) throw error;
    const failure = toSensoriumError(error);
    exchange.context.log.warn({ requestId: exchange.requestId, code: failure.code }, failure.message);
    events.fail(failure);
  }
}

/** What the client calls the sound and the options that the model's owner was given. */
const blameField = (error: unknown): never => {
  throw toSensoriumError(error)
    .renamingParam('audio', 'file')
    .renamingParam('hasWordTimestamps', 'timestamp_granularities');
};

async function answer(exchange: Exchange, bytes: Uint8Array, request: TranscriptionRequest): Promise<void> {
  const { llm } = exchange.context;
  const options = {
    ...request.options,
    requestId: `trsc-${randomUUID()}`,
    cacheSalt: cacheSaltOf(exchange.tenant, undefined),
    signal: exchange.signal,
  };
  if (request.isStream) await stream(exchange, bytes, options).catch(blameField);
  else send(exchange, await llm.transcribe(bytes, options).catch(blameField), request);
}

const routeOf = (path: string, task: SpeechTask): Route => ({
  method: 'POST',
  path,
  handle: async (exchange) => {
    const { llm } = exchange.context;
    if (!llm.canTranscribe) {
      throw new SensoriumError('unsupported_task', `The model '${llm.modelId}' does not write down speech.`);
    }
    const form = await exchange.readForm();
    const request = parseTranscription(form.fields, task);
    checkModel(llm, request.model);
    await answer(exchange, fileOf(form), request);
  },
});

export const transcriptions = routeOf('/v1/audio/transcriptions', 'transcribe');
export const translations = routeOf('/v1/audio/translations', 'translate');
