import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import OpenAI, { toFile } from 'openai';
import { LLM } from '../../../lib/llm.js';
import { serve, type RunningServer } from '../../../lib/server/serve.js';
import { readJson } from './support/harness.js';
import { goldenCases, modelFolderOf, type GoldenCase } from '../support/goldens.js';
import { makeWhisperFolder } from '../support/whisper-folder.js';

const cases = goldenCases('whisper');
const soundOf = ({ folder, request }: GoldenCase): Buffer =>
  readFileSync(join(folder, request.file.replace('file:', '')));
const short = cases.find(({ name }) => name === 'transcribe_en_3s') as GoldenCase;
const timed = cases.find(({ name }) => name === 'timestamps') as GoldenCase;

function formOf(golden: GoldenCase, changes: Record<string, string | undefined> = {}): FormData {
  const form = new FormData();
  const {
    endpoint: _endpoint,
    model: _model,
    file: _file,
    timestamp_granularities,
    ...fields
  } = golden.request;
  for (const [name, value] of Object.entries<string | number | undefined>({ ...fields, ...changes })) {
    if (value !== undefined) form.append(name, String(value));
  }
  for (const name of timestamp_granularities ?? []) form.append('timestamp_granularities[]', name);
  form.append('file', new Blob([soundOf(golden)]), 'sound.wav');
  return form;
}

describe('speech over HTTP', () => {
  let server: RunningServer;
  const post = (
    path: string,
    body: FormData | string,
    headers: Record<string, string> = {},
  ): Promise<Response> => fetch(`${server.url}${path}`, { method: 'POST', body, headers });
  const transcribe = (body: FormData): Promise<Response> => post('/v1/audio/transcriptions', body);

  before(async () => {
    const llm = await LLM.load({ model: modelFolderOf('whisper'), dtype: 'float32' });
    server = await serve(llm, { port: 0, maxBodyMb: 2 });
  });
  after(() => server.close());

  for (const golden of cases) {
    test(`answers ${golden.name} as the reference`, async () => {
      const response = await post(golden.request.endpoint, formOf(golden));
      assert.equal(response.status, 200);
      const body = await readJson(response);
      assert.deepEqual(body.usage, {
        type: 'duration',
        seconds: Math.ceil(golden.expected.samples / 16_000),
      });
      if (golden.expected.segments === undefined) {
        assert.equal(body.text, golden.expected.text);
        return;
      }
      const { segments } = golden.expected as {
        segments: { text: string; tokens: number[]; start: number }[];
      };
      assert.equal(body.text, segments.map(({ text }) => text).join(''));
      assert.equal(body.task, 'transcribe');
      assert.equal(body.language, 'en');
      assert.deepEqual(
        body.segments.map(({ tokens }: { tokens: number[] }) => tokens),
        segments.map(({ tokens }) => tokens),
      );
      for (const [i, segment] of body.segments.entries()) {
        assert.ok(Math.abs(segment.start - (segments[i]?.start ?? NaN)) < 1e-3);
        assert.ok(segment.no_speech_prob >= 0 && segment.no_speech_prob <= 1);
        assert.ok(segment.avg_logprob < 0 && segment.compression_ratio > 0 && segment.temperature === 0);
      }
    });
  }

  test('writes plain text and subtitles', async () => {
    const text = await transcribe(formOf(short, { response_format: 'text' }));
    assert.match(text.headers.get('content-type') ?? '', /^text\/plain/);
    assert.equal(await text.text(), short.expected.text);
    const srt = await transcribe(
      formOf(
        { ...timed, request: { ...timed.request, timestamp_granularities: [] } },
        { response_format: 'srt' },
      ),
    );
    assert.equal(await srt.text(), '1\n00:00:00,760 --> 00:00:25,480\nlike\n');
    const vtt = await transcribe(
      formOf(
        { ...timed, request: { ...timed.request, timestamp_granularities: [] } },
        { response_format: 'vtt' },
      ),
    );
    assert.match(vtt.headers.get('content-type') ?? '', /^text\/vtt/);
    assert.equal(await vtt.text(), 'WEBVTT\n\n00:00:00.760 --> 00:00:25.480\nlike\n');
  });

  test('serves stock OpenAI clients: json, verbose json, a stream, a translation', async () => {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' });
    const model = (await client.models.list()).data[0]?.id ?? '';
    const file = await toFile(soundOf(short), 'sound.wav');
    const common = { model, file, language: 'en', temperature: 0, max_tokens: 20 };
    const plain = await client.audio.transcriptions.create(common);
    assert.equal(plain.text, short.expected.text);

    const verbose = await client.audio.transcriptions.create({
      ...common,
      file: await toFile(soundOf(timed), 'sound.wav'),
      response_format: 'verbose_json',
      timestamp_granularities: ['segment'],
    });
    assert.equal(verbose.duration, 5);
    assert.ok((verbose.segments?.length ?? 0) > 0);

    const stream = await client.audio.transcriptions.create({ ...common, stream: true });
    let told = '';
    let whole: string | undefined;
    for await (const event of stream) {
      if (event.type === 'transcript.text.delta') told += event.delta;
      if (event.type === 'transcript.text.done') whole = event.text;
    }
    assert.equal(whole, short.expected.text);
    assert.equal(told, whole);

    const translations = formOf(short);
    const expected = await readJson(await post('/v1/audio/translations', translations));
    const english = await client.audio.translations.create({
      model,
      file: await toFile(soundOf(short), 'sound.wav'),
      temperature: 0,
      ...{ language: 'en', max_tokens: 20 },
    });
    assert.equal(english.text, expected.text);
    assert.notEqual(english.text, '');
  });

  test('tells stock OpenAI clients when each word is spoken', async () => {
    const client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'none' });
    const ask = async (granularities: ('word' | 'segment')[] | undefined) =>
      client.audio.transcriptions.create({
        model: (await client.models.list()).data[0]?.id ?? '',
        file: await toFile(soundOf(short), 'sound.wav'),
        language: 'en',
        temperature: 0,
        response_format: 'verbose_json',
        ...(granularities !== undefined && { timestamp_granularities: granularities }),
        ...{ max_tokens: 20 },
      });
    const both = await ask(['word', 'segment']);
    const words = both.words ?? [];
    assert.ok(words.length > 1 && (both.segments?.length ?? 0) > 0);
    assert.equal(words.map(({ word }) => word).join(''), both.text.replace(/\s/g, ''));
    assert.ok(words.every(({ word }) => word !== '' && word === word.trim()));
    assert.ok(words.every(({ start, end }, i) => start <= end && start >= (words[i - 1]?.end ?? 0)));
    assert.ok((words.at(-1)?.end ?? 0) <= both.duration);
    const { segments: _, ...rest } = both;
    assert.deepEqual(await ask(['word']), rest);
    const { words: __, ...segmented } = both;
    assert.deepEqual(await ask(['segment']), segmented);
    assert.deepEqual(await ask(undefined), segmented);
  });

  test('tells when the words of a translation are spoken', async () => {
    const form = formOf(short, { response_format: 'verbose_json', timestamp_granularities: 'word' });
    const body = await readJson(await post('/v1/audio/translations', form));
    assert.equal(body.task, 'translate');
    assert.equal(body.words.map(({ word }: { word: string }) => word).join(''), body.text.replace(/\s/g, ''));
  });

  test('tells models by name and what this one does', async () => {
    const wrong = await transcribe(formOf(short, { model: 'other' }));
    assert.equal(wrong.status, 404);
    assert.equal((await readJson(wrong)).error.code, 'model_not_found');
    const chat = await post(
      '/v1/chat/completions',
      JSON.stringify({ messages: [{ role: 'user', content: 'hi' }] }),
      {
        'content-type': 'application/json',
      },
    );
    assert.equal(chat.status, 404);
    const { error } = await readJson(chat);
    assert.equal(error.code, 'unsupported_task');
    assert.match(error.message, /audio\/transcriptions/);
  });

  describe('refuses, naming the field,', () => {
    const refusals: [string, Record<string, string>, number, string, string | null][] = [
      ['an unknown language', { language: 'klingon' }, 400, 'invalid_value', 'language'],
      ['an unknown format', { response_format: 'xml' }, 400, 'invalid_value', 'response_format'],
      ['a temperature that is too high', { temperature: '3' }, 400, 'invalid_value', 'temperature'],
      ['a temperature that is no number', { temperature: 'warm' }, 400, 'invalid_type', 'temperature'],
      ['a flag that is none', { stream: 'maybe' }, 400, 'invalid_type', 'stream'],
      [
        'a stream of subtitles',
        { stream: 'true', response_format: 'srt' },
        400,
        'invalid_value',
        'response_format',
      ],
      ['no tokens', { max_tokens: '0' }, 400, 'invalid_value', 'max_tokens'],
      ['speakers', { response_format: 'diarized_json' }, 501, 'not_supported', 'response_format'],
      [
        'times of letters',
        { response_format: 'verbose_json', timestamp_granularities: 'letter' },
        400,
        'invalid_value',
        'timestamp_granularities[0]',
      ],
      [
        'a stream of words',
        { stream: 'true', response_format: 'verbose_json', timestamp_granularities: 'word' },
        400,
        'invalid_value',
        'response_format',
      ],
      [
        'times of words where none are written',
        { timestamp_granularities: 'word' },
        400,
        'invalid_value',
        'timestamp_granularities',
      ],
      [
        'times where none are written',
        { timestamp_granularities: 'segment' },
        400,
        'invalid_value',
        'timestamp_granularities',
      ],
    ];
    for (const [what, changes, status, code, param] of refusals) {
      test(what, async () => {
        const response = await transcribe(formOf(short, changes));
        assert.equal(response.status, status);
        const { error } = await readJson(response);
        assert.deepEqual([error.code, error.param], [code, param]);
      });
    }

    test('no file, a file that is a text, and one that is no sound', async () => {
      const without = new FormData();
      without.append('language', 'en');
      assert.equal((await readJson(await transcribe(without))).error.code, 'missing_field');
      without.append('file', 'just text');
      assert.equal((await readJson(await transcribe(without))).error.code, 'invalid_type');
      const noSound = new FormData();
      noSound.append('file', new Blob(['this is no sound']), 'sound.wav');
      const response = await transcribe(noSound);
      assert.equal(response.status, 400);
      assert.equal((await readJson(response)).error.param, 'file');
    });

    test('bodies that are no forms, and forms that do not parse', async () => {
      const json = await post('/v1/audio/transcriptions', '{}', { 'content-type': 'application/json' });
      assert.equal(json.status, 415);
      const bare = await post('/v1/audio/transcriptions', 'x', { 'content-type': 'multipart/form-data' });
      assert.equal(bare.status, 415);
      const sending = (form: string): Promise<Response> =>
        post('/v1/audio/transcriptions', form, { 'content-type': 'multipart/form-data; boundary=b' });
      const part = (name: string, content: string): string =>
        `--b\r\ncontent-disposition: form-data; ${name}\r\n\r\n${content}`;
      const file = 'name="file"; filename="a.wav"';
      for (const form of [
        part(file, 'RIFFxxxx'),
        `--b\r\ncontent-disposition: form-data; ${file}\r\n`,
        'hello',
        '',
      ]) {
        const { error } = await readJson(await sending(form));
        assert.equal(error.code, 'invalid_value', form);
      }
      const nameless = await sending(`--b\r\ncontent-disposition: form-data\r\n\r\nx\r\n--b--\r\n`);
      assert.equal((await readJson(nameless)).error.code, 'missing_field');
      const odd = await sending(`${part('name="__proto__"', 'x')}\r\n${part(file, 'RIFF')}\r\n--b--\r\n`);
      assert.equal((await readJson(odd)).error.code, 'invalid_audio');
      const cut = await post(
        '/v1/audio/transcriptions',
        '--b\r\ncontent-disposition: form-data; name="file"',
        {
          'content-type': 'multipart/form-data; boundary=b',
        },
      );
      assert.equal(cut.status, 400);
    });

    test('files that are too large, while they stream in', async () => {
      const form = new FormData();
      form.append('file', new Blob([new Uint8Array(3 * 2 ** 20)]), 'sound.wav');
      const response = await transcribe(form);
      assert.equal(response.status, 413);
      assert.equal((await readJson(response)).error.code, 'body_too_large');
    });

    test('two files, and more fields than any client sends', async () => {
      const two = formOf(short);
      two.append('other', new Blob(['x']), 'x.wav');
      assert.equal((await transcribe(two)).status, 400);
      const many = formOf(short);
      for (let i = 0; i < 100; i++) many.append(`field${i}`, 'x');
      assert.equal((await transcribe(many)).status, 400);
    });
  });

  test('forgets the request of a client that leaves in the middle of its file', async () => {
    const { port } = new URL(server.url);
    await new Promise<void>((resolve) => {
      const headers = { 'content-type': 'multipart/form-data; boundary=b', 'content-length': '1000000' };
      const leaving = httpRequest({ port, method: 'POST', path: '/v1/audio/transcriptions', headers });
      leaving.on('error', () => resolve());
      leaving.write('--b\r\ncontent-disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF', () =>
        setTimeout(() => leaving.destroy(new Error('left')), 50),
      );
    });
    assert.equal((await transcribe(formOf(short))).status, 200);
  });
});

test('a model that chats does not write down speech', async () => {
  const server = await serve(await LLM.load(), { port: 0 });
  try {
    const response = await fetch(`${server.url}/v1/audio/transcriptions`, {
      method: 'POST',
      body: formOf(short),
    });
    assert.equal(response.status, 404);
    assert.equal((await readJson(response)).error.code, 'unsupported_task');
  } finally {
    await server.close();
  }
});

test('a model whose heads tell no times refuses them, naming the field', async () => {
  const { folder, remove } = makeWhisperFolder({ alignment_heads: [[9, 9]] });
  const server = await serve(await LLM.load({ model: folder, dtype: 'float32' }), { port: 0 });
  try {
    const changes = { response_format: 'verbose_json', timestamp_granularities: 'word' };
    const response = await fetch(`${server.url}/v1/audio/transcriptions`, {
      method: 'POST',
      body: formOf(short, changes),
    });
    assert.equal(response.status, 501);
    const { error } = await readJson(response);
    assert.deepEqual([error.code, error.param], ['not_supported', 'timestamp_granularities']);
  } finally {
    await server.close();
    remove();
  }
});
