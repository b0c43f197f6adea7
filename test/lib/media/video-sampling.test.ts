import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sampleFrames } from '../../../lib/media/video-sampling.js';
import type { VideoSettings } from '../../../lib/media/media-settings.js';
import { QWEN_SAMPLING } from './support/context.js';

const sample = (total: number, fps: number, settings: Partial<VideoSettings> = {}): number[] =>
  sampleFrames(total, fps, { useAudioInVideo: false, ...settings }, QWEN_SAMPLING);

describe('sampling by rate', () => {
  test('matches the goldens', () => {
    assert.deepEqual(sample(30, 10), [0, 6, 12, 17, 23, 29]);
    assert.deepEqual(sample(40, 8, { fps: 1 }), [0, 13, 26, 39]);
    assert.deepEqual(sample(60, 10, { fps: 1 }), [0, 12, 24, 35, 47, 59]);
    assert.deepEqual(sample(32, 8), [0, 4, 9, 13, 18, 22, 27, 31]);
  });

  test('is clamped to the least and the most, and to what there is', () => {
    assert.equal(sample(300, 100, { fps: 0.01 }).length, 4);
    assert.equal(sample(100_000, 10, { fps: 10 }).length, 768);
    assert.equal(sample(100, 10, { fps: 10, maxFrames: 7 }).length, 6);
    assert.equal(sample(100, 10, { fps: 0.1, minFrames: 11 }).length, 10);
    assert.deepEqual(sample(3, 10), [0, 2]);
    assert.deepEqual(sample(1, 10), [0]);
    assert.deepEqual(sample(2, 10, { maxFrames: 1 }), [0, 1]);
  });
});

describe('sampling at a constant rate', () => {
  const DEMO = { fps: 2, minFrames: 2, maxFrames: 8, frameFactor: 2, isConstantRate: true };
  const sampleAt = (total: number, fps: number, settings: Partial<VideoSettings> = {}): number[] =>
    sampleFrames(total, fps, { useAudioInVideo: false, ...settings }, DEMO);

  test('takes the middle of each stretch, the earlier of two', () => {
    assert.deepEqual(sampleAt(30, 10), [2, 7, 12, 17, 22, 27]);
    assert.deepEqual(sampleAt(32, 8), [1, 5, 9, 13, 17, 21, 25, 29]);
    assert.deepEqual(sampleAt(29, 10, { fps: 1 }), [4, 14, 24]);
    assert.deepEqual(sampleAt(30, 29.97, { minFrames: 1 }), [7, 22]);
  });

  test('is thinned to the most and filled to the least', () => {
    assert.deepEqual(sampleAt(60, 6, { maxFrames: 4 }), [1, 19, 40, 58]);
    assert.equal(sampleAt(1000, 10).length, 8);
    assert.deepEqual(sampleAt(5, 10), [0, 4]);
    assert.deepEqual(sampleAt(1, 10), [0]);
    assert.deepEqual(sampleAt(3, 1, { fps: 30 }), [0, 1, 2]);
  });
});

describe('sampling by count', () => {
  test('spreads frames evenly, rounded down', () => {
    assert.deepEqual(sample(10, 5, { numFrames: 4 }), [0, 3, 6, 9]);
    assert.deepEqual(sample(26, 5, { numFrames: 8 }), [0, 3, 7, 10, 14, 17, 21, 25]);
    assert.deepEqual(sample(5, 5, { numFrames: 500 }), [0, 1, 2, 3, 4]);
    assert.deepEqual(sample(10, 5, { numFrames: 1 }), [0]);
    assert.equal(sample(1800, 30, { numFrames: 32 }).length, 32);
  });

  test('a rate only lowers it', () => {
    assert.equal(sample(1800, 30, { numFrames: 500, fps: 2 }).length, 120);
    assert.equal(sample(1800, 30, { numFrames: 32, fps: 2 }).length, 32);
    assert.equal(sample(30, 30, { numFrames: 32, fps: 0.5 }).length, 1);
  });

  test('all frames are all frames', () => {
    assert.deepEqual(sample(4, 30, { numFrames: 'all', fps: 1 }), [0, 1, 2, 3]);
  });
});

describe('nframes of a part', () => {
  test('spreads that many, in a multiple of the frame factor', () => {
    assert.deepEqual(sample(30, 10, { numSpreadFrames: 4 }), [0, 10, 19, 29]);
    assert.equal(sample(30, 10, { numSpreadFrames: 5 }).length, 4);
  });

  test('holds whatever sampler the server names', () => {
    for (const sampler of ['opencv', 'qwen2_vl', 'qwen3_vl', 'opencv_dynamic'] as const)
      assert.deepEqual(sample(30, 10, { sampler, numSpreadFrames: 4 }), [0, 10, 19, 29], sampler);
  });
});
