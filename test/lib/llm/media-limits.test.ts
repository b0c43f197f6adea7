import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkOptions, toMediaRules } from '../../../lib/llm/native-options.js';
import type { LLMOptions } from '../../../lib/llm/types.js';

const MODALITIES = ['image', 'video', 'audio'] as const;

test('counts and sizes, mixed', () => {
  const limitMmPerPrompt: LLMOptions['limitMmPerPrompt'] = {
    image: 2,
    video: { count: 1, num_frames: 32, width: 512, height: 256 },
    audio: { length: 16_000 },
  };
  checkOptions({ limitMmPerPrompt });
  const rules = toMediaRules({ limitMmPerPrompt, enableMmEmbeds: true }, MODALITIES);
  assert.deepEqual(rules.limits, { image: 2, video: 1, audio: 999 });
  assert.deepEqual(rules.itemLimits, {
    video: { num_frames: 32, width: 512, height: 256 },
    audio: { length: 16_000 },
  });
  assert.equal(rules.hasEmbeddings, true);
});

test('the frames of a video are called num_frames or numFrames', () => {
  const limitMmPerPrompt = { video: { count: 2, numFrames: 8 } };
  checkOptions({ limitMmPerPrompt });
  const rules = toMediaRules({ limitMmPerPrompt }, MODALITIES);
  assert.equal(rules.limits.video, 2);
  assert.deepEqual(rules.itemLimits, { video: { num_frames: 8 } });
});

test('silence and counts alone leave sizes to the media policy', () => {
  assert.equal(toMediaRules({}, MODALITIES).itemLimits, undefined);
  assert.equal(toMediaRules({ limitMmPerPrompt: { image: { count: 0 } } }, MODALITIES).itemLimits, undefined);
  assert.deepEqual(toMediaRules({}, ['image']).limits, { image: 999, video: 0, audio: 0 });
});

test('unknown modalities and keys, and values that are no limits, are refused by their name', () => {
  const cases: [limits: unknown, param: string][] = [
    [{ smell: 1 }, 'limitMmPerPrompt'],
    [{ ['__proto__x']: 1 }, 'limitMmPerPrompt'],
    [{ image: -1 }, 'limitMmPerPrompt.image'],
    [{ image: 1.5 }, 'limitMmPerPrompt.image'],
    [{ image: '2' }, 'limitMmPerPrompt.image'],
    [{ image: null }, 'limitMmPerPrompt.image'],
    [{ image: [1] }, 'limitMmPerPrompt.image'],
    [{ image: 1e9 }, 'limitMmPerPrompt.image'],
    [{ image: { num_frames: 2 } }, 'limitMmPerPrompt.image'],
    [{ audio: { width: 2 } }, 'limitMmPerPrompt.audio'],
    [{ video: { frames: 2 } }, 'limitMmPerPrompt.video'],
    [{ video: { num_frames: 0 } }, 'limitMmPerPrompt.video.num_frames'],
    [{ video: { count: -1 } }, 'limitMmPerPrompt.video.count'],
    [{ image: { width: 2 ** 40 } }, 'limitMmPerPrompt.image.width'],
  ];
  for (const [limits, param] of cases) {
    const options = { limitMmPerPrompt: limits } as LLMOptions;
    assert.throws(() => checkOptions(options), { code: 'invalid_option', param }, JSON.stringify(limits));
  }
});

test('content formats are three', () => {
  for (const chatTemplateContentFormat of ['auto', 'string', 'openai'] as const)
    checkOptions({ chatTemplateContentFormat });
  assert.throws(() => checkOptions({ chatTemplateContentFormat: 'xml' } as unknown as LLMOptions), {
    code: 'invalid_option',
    param: 'chatTemplateContentFormat',
  });
});
