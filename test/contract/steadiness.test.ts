import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { useServer } from './support/server.js';

const WIDTH = 2464;
const HEIGHT = 1640;
const NUM_REQUESTS = 260;
/** By then the caches are full and the code that runs often is compiled. */
const NUM_WARM_UP = 120;

const SMALL_CACHES = ['--mm-processor-cache-gb', '0.002', '--kv-cache-gb', '0.004', '--max-model-len', '512'];
const service = useServer(SMALL_CACHES);

/** A four-megapixel picture like no other, as a data: URL. */
async function picture(number: number): Promise<string> {
  const background = { r: number % 256, g: (number * 7) % 256, b: (number * 31) % 256 };
  const jpeg = await sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background } })
    .jpeg()
    .toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
}

async function ask(number: number): Promise<void> {
  const url = await picture(number);
  const content = [
    { type: 'image_url' as const, image_url: { url } },
    { type: 'text' as const, text: 'Describe this image.' },
  ];
  const messages = [{ role: 'user' as const, content }];
  const { model, client } = service;
  const { usage } = await client.chat.completions.create({ model, messages, max_tokens: 4, temperature: 0 });
  const details = usage!.prompt_tokens_details as unknown as { image_tokens: number };
  assert.ok(details.image_tokens > 0);
}

/** Resident bytes after each round of four requests. */
async function askMany(from: number, to: number): Promise<number[]> {
  const readings: number[] = [];
  for (let number = from; number < to; number += 4) {
    await Promise.all([0, 1, 2, 3].map((offset) => ask(number + offset)));
    readings.push(await service.metric('process_resident_memory_bytes'));
  }
  return readings;
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

test('hundreds of four-megapixel pictures leave the resident memory where it was', async () => {
  const readings = await askMany(0, NUM_REQUESTS);
  // V8 makes its heap smaller when it has time, and larger again: what was held before is the most that was.
  const before = Math.max(...readings.slice(0, NUM_WARM_UP / 4));
  const after = median(readings.slice(-10));
  assert.ok(after < before * 1.05, `${before} -> ${after} bytes: ${readings.join(' ')}`);
  assert.equal(await service.metric('sensorium_kv_cache_usage_ratio'), 0);
});

test('the event loop goes on while pictures are preprocessed and prompts computed', async () => {
  const lags: number[] = [];
  for (let number = 0; number < 9; number++) {
    await service.metric('nodejs_eventloop_lag_max_seconds');
    await ask(1_000 + number);
    lags.push(await service.metric('nodejs_eventloop_lag_max_seconds'));
  }
  // Blocking work would be in every request; other programs on the machine delay only some. The histogram's resolution is 10 ms.
  assert.ok(Math.min(...lags) < 0.04, lags.join(' '));
});
