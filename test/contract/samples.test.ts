import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { isReadable, optionsFor } from '../lib/support/ffmpeg.js';
import { SAMPLES, mediaTypeOf, messagesFor, readSample, type Sample } from './support/samples.js';
import { useServer } from './support/server.js';

const service = useServer(['--allow-private-media-addresses', '--max-num-seqs', '16']);

async function ask(sample: Sample, urlOf?: (file: string) => string): Promise<string> {
  const { client, model } = service;
  const completion = await client.chat.completions.create({
    model,
    messages: messagesFor(sample, urlOf),
    temperature: 0,
  });
  return completion.choices[0]!.message.content!;
}

suite('samples of the demo model', () => {
  for (const sample of SAMPLES) {
    test(`${sample.files.join(' + ')}: ${sample.question}`, optionsFor(sample.files), async () => {
      assert.equal(await ask(sample), sample.model);
    });
  }
});

test('sixteen different requests at once say the same as one by one', async () => {
  const questions = [
    ...SAMPLES,
    ...SAMPLES.slice(0, 3).map((sample) => ({ ...sample, question: 'What is it?' })),
  ];
  assert.equal(questions.length, 16);
  const readable = questions.filter(({ files }) => isReadable(files));
  const alone: string[] = [];
  for (const sample of readable) alone.push(await ask(sample));
  assert.deepEqual(await Promise.all(readable.map((sample) => ask(sample))), alone);
});

suite('media by URL', () => {
  let url = '';
  const server = createServer((request, response) => {
    const file = request.url!.slice(1);
    if (file === 'moved.png') response.writeHead(302, { location: '/shape-1.png' }).end();
    else if (file === 'gone.png') response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': mediaTypeOf(file) }).end(readSample(file));
  });
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  after(() => server.close());

  for (const kind of ['image', 'video', 'audio']) {
    const sample = SAMPLES.find((candidate) => candidate.kind === kind)!;
    test(`${kind} over http`, optionsFor(sample.files), async () => {
      assert.equal(await ask(sample, (file) => url + file), sample.model);
    });
  }

  test('a redirect is followed, a missing file is named', async () => {
    const sample = SAMPLES[0]!;
    assert.equal(await ask(sample, () => `${url}moved.png`), sample.model);
    await assert.rejects(
      ask(sample, () => `${url}gone.png`),
      { status: 422, code: 'media_fetch_rejected', param: 'messages[0].content[0].image_url' },
    );
  });
});

test('the same media again come from the cache', async () => {
  const sample = SAMPLES[1]!;
  await ask(sample);
  const hits = await service.metric('sensorium_media_cache_hits_total');
  await ask(sample);
  assert.ok((await service.metric('sensorium_media_cache_hits_total')) > hits);
});

for (const kind of ['image', 'video', 'audio'] as const) {
  const sample = SAMPLES.find((candidate) => candidate.kind === kind)!;
  test(`usage counts the tokens of ${kind} parts`, optionsFor(sample.files), async () => {
    const { client, model } = service;
    const { usage } = await client.chat.completions.create({
      model,
      messages: messagesFor(sample),
      temperature: 0,
    });
    const details = usage!.prompt_tokens_details as unknown as Record<string, number>;
    assert.ok(details[`${kind}_tokens`]! > 0, kind);
    assert.ok(usage!.prompt_tokens > details[`${kind}_tokens`]!);
    assert.equal(usage!.total_tokens, usage!.prompt_tokens + usage!.completion_tokens);
  });
}
