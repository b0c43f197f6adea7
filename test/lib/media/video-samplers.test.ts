import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SAMPLER_NAMES, SAMPLERS, type SamplerName } from '../../../lib/media/video-samplers.js';
import { sampleFrames } from '../../../lib/media/video-sampling.js';
import type { FrameChoice } from '../../../lib/media/video-settings.js';
import { QWEN_SAMPLING } from './support/context.js';

const sample = (
  sampler: SamplerName,
  numFrames: number,
  fps: number,
  choice: Omit<FrameChoice, 'sampler'> = {},
): number[] => sampleFrames(numFrames, fps, { ...choice, sampler }, QWEN_SAMPLING);

describe('one minute at 30 frames a second', () => {
  const count = (sampler: SamplerName, choice: FrameChoice = {}): number =>
    sample(sampler, 1800, 30, choice).length;

  test('uniform: 32 frames, a number, a rate, or both', () => {
    assert.equal(count('opencv'), 32);
    assert.equal(count('opencv', { numFrames: 32 }), 32);
    assert.equal(count('opencv', { fps: 2 }), 120);
    assert.equal(count('opencv', { numFrames: 'all', fps: 2 }), 120);
    assert.equal(count('opencv', { numFrames: 500, fps: 2 }), 120);
    assert.equal(count('opencv', { numFrames: 'all' }), 1800);
    assert.equal(count('opencv', { fps: 2, maxFrames: 50 }), 50);
  });

  test('dynamic: a rate, capped by the longest duration', () => {
    assert.equal(count('opencv_dynamic', { fps: 1 }), 60);
    assert.equal(count('opencv_dynamic', { fps: 2, maxDurationS: 30 }), 60);
    assert.equal(count('opencv_dynamic'), 120);
    assert.equal(count('opencv_dynamic', { fps: 2, maxFrames: 10 }), 10);
  });

  test('the families: two a second', () => {
    assert.equal(count('glm46v'), 120);
    assert.equal(count('qwen3_vl'), 120);
    assert.equal(count('qwen2_vl'), 120);
    assert.equal(count('qwen3_vl', { fps: 1, maxFrames: 40 }), 40);
    assert.equal(count('qwen2_vl', { fps: 1, maxFrames: 41 }), 40);
    assert.equal(count('qwen3_vl', { numFrames: 4 }), 120);
  });
});

describe('indices', () => {
  test('uniform ones are spread to the last frame and rounded down', () => {
    assert.deepEqual(sample('opencv', 26, 10, { numFrames: 8 }), [0, 3, 7, 10, 14, 17, 21, 25]);
    assert.deepEqual(sample('opencv', 5, 10, { numFrames: 1 }), [0]);
    assert.deepEqual(sample('opencv', 10, 10, { fps: 0.1 }), [0]);
    for (let total = 2; total < 400; total++) {
      assert.equal(sample('opencv', total, 10, { numFrames: Math.min(total, 23) }).at(-1), total - 1);
    }
  });

  test('qwen3_vl rounds half to even and keeps odd counts', () => {
    assert.deepEqual(sample('qwen3_vl', 40, 8, { fps: 1 }), [0, 10, 20, 29, 39]);
    assert.deepEqual(sample('qwen3_vl', 30, 10), [0, 6, 12, 17, 23, 29]);
    assert.deepEqual(sample('qwen3_vl', 3, 10), [0, 1, 2]);
  });

  test('qwen2_vl takes even steps from the first frame', () => {
    assert.deepEqual(sample('qwen2_vl', 30, 10), [0, 5, 10, 15, 20, 25]);
    assert.deepEqual(sample('qwen2_vl', 10, 3, { fps: 1.9 }), [0, 1, 3, 5, 6, 8]);
    assert.deepEqual(sample('qwen2_vl', 9, 3, { temporalPatchSize: 3 }), [0, 1, 3, 4, 6, 7]);
  });

  test('dynamic ones are at or after each step of time', () => {
    assert.deepEqual(sample('opencv_dynamic', 30, 10), [0, 5, 10, 15, 20, 25]);
    assert.deepEqual(sample('opencv_dynamic', 10, 4, { fps: 3 }), [0, 2, 3, 4, 6, 7, 8]);
    assert.deepEqual(sample('opencv_dynamic', 40, 10, { fps: 1, maxDurationS: 3 }), [0, 20, 39]);
    assert.deepEqual(sample('opencv_dynamic', 4, 1, { fps: 1000, maxDurationS: 3 }), [0, 1, 2, 3]);
  });

  test('glm46v slows down with length, and repeats the last frame of an odd number', () => {
    assert.deepEqual(sample('glm46v', 10, 10), [0, 2, 4, 5, 7, 9]);
    assert.deepEqual(sample('glm46v', 3, 10), [0, 0]);
    assert.deepEqual(sample('glm46v', 5, 5), [0, 1, 2, 3, 4, 4]);
    assert.equal(sample('glm46v', 40_000, 20).length, 640);
    assert.equal(sample('glm46v', 9000, 30).length, 600);
  });

  test('glmga walks at its own rate', () => {
    assert.equal(sample('glmga', 1800, 30).length, 240);
    assert.equal(sample('glmga', 1800, 30, { fps: 1, maxFrames: 64 }).length, 64);
    assert.equal(sample('glmga', 5, 1, { fps: 0.5 }).length % 2, 0);
  });
});

describe('every sampler', () => {
  const clips = [1, 2, 3, 7, 64, 999].flatMap((total) =>
    [0.001, 0.3, 1, 24, 29.97, 1000].map((fps) => ({ numFrames: total, fps })),
  );
  const choices: FrameChoice[] = [
    {},
    { fps: 0.001 },
    { fps: 1000 },
    { numFrames: 1, minFrames: 1, maxFrames: 1 },
    { minFrames: 1024 },
    { maxDurationS: 0.001 },
    { temporalPatchSize: 64 },
  ];

  for (const name of SAMPLER_NAMES) {
    test(`${name} gives frames that exist, in order, whatever the numbers`, () => {
      for (const clip of clips) {
        for (const choice of choices) {
          const indices = SAMPLERS[name](clip, choice);
          const where = JSON.stringify({ clip, choice, indices: indices.slice(0, 8) });
          assert.ok(indices.length > 0, where);
          assert.ok(
            indices.every((index) => Number.isInteger(index) && index >= 0 && index < clip.numFrames),
            where,
          );
          assert.ok(
            indices.every((index, i) => i === 0 || index >= (indices[i - 1] as number)),
            where,
          );
        }
      }
    });
  }
});
