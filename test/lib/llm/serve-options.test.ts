import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LLM, type LLMOptions } from '../../../lib/llm.js';

test('options that cannot be met are refused before a weight is read', async () => {
  const cases: [LLMOptions, RegExp][] = [
    [{ runner: 'dance' as never }, /runner must be auto, generate or pooling/],
    [{ kvCacheGb: 900_000 }, /this machine has [\d.]+ GiB of memory/],
    [{ numMediaWorkers: 0 }, /numMediaWorkers must be an integer from 1/],
    [{ trustRemoteCode: 'yes' as never }, /trustRemoteCode must be true or false/],
    [{ allowedMediaDomains: ['http://a.example/'] }, /must be a host/],
    [{ servedModelName: [''] }, /servedModelName must be a text or a list of texts/],
  ];
  for (const [options, message] of cases) {
    await assert.rejects(LLM.load(options), { code: 'invalid_option', message });
  }
});

test('tenants in process are told apart by their salt; remote code is declined with one warning', async (t) => {
  const warnings: string[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', onWarning);
  const llm = await LLM.load({ trustRemoteCode: true, servedModelName: ['one', 'two'], kvCacheGb: 0.05 });
  t.after(() => llm.close());
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', onWarning);
  assert.equal(warnings.filter((text) => text.includes('code of a checkpoint never runs')).length, 1);
  assert.deepEqual([llm.modelId, llm.modelIds], ['one', ['one', 'two']]);

  const picture = { data: new Uint8Array(64 * 64 * 3).fill(90), width: 64, height: 64 };
  const ask = (image: object | null, cacheSalt: string) => {
    const content = [{ type: 'image', image: image as never, uuid: 'name' }, 'Describe this image.'];
    return llm.chat([{ role: 'user', content }], { temperature: 0, maxTokens: 4, cacheSalt });
  };
  await ask(picture, 'a');
  const { usage } = await ask(null, 'a');
  assert.equal(usage.cachedMedia, 1);
  assert.ok(usage.imageTokens > 0 && usage.cachedTokens > 0);
  await assert.rejects(ask(null, 'b'), { code: 'media_cache_miss', status: 404 });
});
