import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DecodedVideo } from '../../../lib/media/types.js';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import {
  createFrameResizer,
  processImage,
  processVideo,
  readVideoSampling,
  readVisionRules,
  withRequestedLimits,
} from '../../../lib/processors/vision-rules.js';
import { rejectsWith, throwsWith } from '../media/support/errors.js';
import { modelFolderOf } from '../support/goldens.js';

const limitsOf = (config: Record<string, unknown>): [number, number] => {
  const { minPixels, maxPixels } = readVisionRules(config, 'x.json');
  return [minPixels, maxPixels];
};

describe('config spellings', () => {
  test('pixel limits stand at the top, or in size under either name', () => {
    assert.deepEqual(limitsOf({ min_pixels: 3136, max_pixels: 15680 }), [3136, 15680]);
    assert.deepEqual(limitsOf({ size: { shortest_edge: 3136, longest_edge: 15680 } }), [3136, 15680]);
    assert.deepEqual(limitsOf({ size: { min_pixels: 3136, max_pixels: 15680 } }), [3136, 15680]);
    assert.deepEqual(
      limitsOf({ min_pixels: 100, size: { shortest_edge: 7, longest_edge: 200 } }),
      [100, 200],
    );
    assert.deepEqual(limitsOf({ min_pixels: null, size: null }), [56 * 56, 28 * 28 * 1280]);
  });

  test('what a checkpoint leaves out is the class default', () => {
    const { patch, patchSize, temporalPatchSize, mergeSize } = readVisionRules({}, 'x.json');
    assert.deepEqual([patchSize, temporalPatchSize, mergeSize, patch.filter], [14, 2, 2, 'bicubic']);
    assert.deepEqual(patch.mean, [0.48145466, 0.4578275, 0.40821073]);
    assert.equal(patch.rescaleFactor, 1 / 255);
    assert.deepEqual(readVideoSampling({}, 2), {
      fps: 2,
      minFrames: 4,
      maxFrames: 768,
      frameFactor: 2,
      isConstantRate: false,
    });
    const own = readVideoSampling({ fps: 1, min_frames: 2, max_frames: 8 }, 2);
    assert.deepEqual(own, { fps: 1, minFrames: 2, maxFrames: 8, frameFactor: 2, isConstantRate: true });
  });

  test('nonsense is an invalid checkpoint that names the file', () => {
    const bad: Record<string, unknown>[] = [
      { patch_size: 0 },
      { merge_size: 1.5 },
      { temporal_patch_size: 1e9 },
      { image_mean: [1, 2] },
      { image_std: [1, 2, 'x'] },
      { resample: 77 },
      { min_pixels: 10, max_pixels: 5 },
      { min_pixels: -1 },
    ];
    for (const config of bad) {
      assert.match(
        throwsWith(() => readVisionRules(config, 'x.json'), 'invalid_checkpoint').message,
        /x\.json/,
      );
    }
  });
});

describe('sizes that a request asks for', () => {
  const addon = loadAddon();
  const rules = readVisionRules({ min_pixels: 28 * 28 * 4, max_pixels: 28 * 28 * 64 }, 'x.json');
  const gridOf = async (
    options: Record<string, unknown>,
    { width = 224, height = 224, numFrames = 4 } = {},
  ): Promise<number[]> => {
    const frames = Array.from({ length: numFrames }, () => new Uint8Array(width * height * 3));
    const metadata = { fps: 2, totalNumFrames: numFrames, duration: numFrames / 2, framesIndices: [] };
    const video: DecodedVideo = { kind: 'video', frames, width, height, sampledFps: 2, metadata };
    return [...(await processVideo(addon, video, withRequestedLimits(rules, options))).media.grid];
  };

  test('total_pixels are shared by the frames, each within its limits', async () => {
    assert.deepEqual(await gridOf({}), [2, 16, 16]);
    // Four frames share 32 cells in pairs of frames: 16 cells each.
    assert.deepEqual(await gridOf({ total_pixels: 28 * 28 * 32 }), [2, 8, 8]);
    assert.deepEqual(await gridOf({ total_pixels: 28 * 28 * 32 }, { numFrames: 8 }), [4, 4, 4]);
    assert.deepEqual(await gridOf({ total_pixels: 20480 * 28 * 28, min_pixels: 16 * 28 * 28 }), [2, 16, 16]);
    assert.deepEqual(await gridOf({ total_pixels: 1 }), [2, 4, 4]);
    assert.deepEqual(await gridOf({ total_pixels: 28 * 28 * 32, max_pixels: 28 * 28 * 4 }), [2, 4, 4]);
  });

  test('resized_height and resized_width are taken in whole merged cells', async () => {
    assert.deepEqual(await gridOf({ resized_height: 56, resized_width: 112 }), [2, 4, 8]);
    assert.deepEqual(await gridOf({ resized_height: 60, resized_width: 100 }), [2, 4, 8]);
    assert.deepEqual(await gridOf({ resized_height: 28, resized_width: 28 }), [2, 2, 2]);
    assert.deepEqual(await gridOf({ resized_height: 560, resized_width: 560 }), [2, 40, 40]);
  });

  test('frames made smaller one by one give the same patches', async () => {
    const size = { width: 100, height: 150 };
    const frames = Array.from({ length: 3 }, (_, k) =>
      Uint8Array.from({ length: 100 * 150 * 3 }, (_, i) => (i * (k + 3) * 7919) % 251),
    );
    const metadata = { fps: 2, totalNumFrames: 3, duration: 1.5, framesIndices: [0, 1, 2] };
    const asked = withRequestedLimits(rules, { max_pixels: 28 * 28 * 8, min_pixels: 28 * 28 });
    const video: DecodedVideo = { kind: 'video', frames, ...size, sampledFps: 2, metadata };
    const whole = (await processVideo(addon, video, asked)).media;
    const resizer = createFrameResizer(addon, size, asked, 3)!;
    const { width, height } = resizer;
    const smaller = await Promise.all(frames.map((frame) => resizer.resize(frame)));
    const stepwise = (await processVideo(addon, { ...video, frames: smaller, width, height }, asked)).media;
    assert.ok(width * height < 100 * 150);
    assert.deepEqual([...stepwise.grid], [...whole.grid]);
    assert.deepEqual(stepwise.features(), whole.features());
    assert.equal(createFrameResizer(addon, { width: 56, height: 56 }, rules, 3), undefined);
  });

  test('make no frames smaller that would be resized once more', () => {
    const asked = withRequestedLimits(rules, { min_pixels: 28 * 28 * 6, max_pixels: 28 * 28 * 6 });
    assert.equal(createFrameResizer(addon, { width: 300, height: 300 }, asked, 3), undefined);
    throwsWith(() => createFrameResizer(addon, { width: 1, height: 401 }, rules, 3), 'invalid_video');
  });

  test('are none where pictures are not to be resized', async () => {
    assert.deepEqual(await gridOf({ do_resize: false }), [2, 16, 16]);
    assert.deepEqual(await gridOf({ do_resize: false }, { width: 280, height: 280 }), [2, 20, 20]);
    await rejectsWith(gridOf({ do_resize: false }, { width: 100, height: 28 }), 'invalid_video');
    throwsWith(() => withRequestedLimits(rules, { do_resize: 1 }), 'invalid_value');
  });

  test('hold for pictures too', async () => {
    const image = { kind: 'image' as const, data: new Uint8Array(224 * 224 * 3), width: 224, height: 224 };
    const grid = async (options: Record<string, unknown>): Promise<number[]> => [
      ...(await processImage(addon, image, withRequestedLimits(rules, options))).media.grid,
    ];
    assert.deepEqual(await grid({ resized_height: 56, resized_width: 112 }), [1, 4, 8]);
    assert.deepEqual(await grid({ max_pixels: 28 * 28 * 16 }), [1, 8, 8]);
  });

  test('beyond all bounds are refused', () => {
    const bad = [
      { resized_height: 16_384, resized_width: 16_384 },
      { resized_height: 56 },
      { resized_height: 56, resized_width: 1.5 },
      { total_pixels: 0 },
      { total_pixels: '9' },
    ];
    for (const options of bad) throwsWith(() => withRequestedLimits(rules, options), 'invalid_value');
  });
});

describe('limits of a request', () => {
  const rules = readVisionRules({ min_pixels: 1000, max_pixels: 5000 }, 'x.json');
  const limits = (options: Record<string, unknown>): [number, number] => {
    const { minPixels, maxPixels } = withRequestedLimits(rules, options);
    return [minPixels, maxPixels];
  };

  test('replace the checkpoint ones', () => {
    assert.deepEqual(limits({}), [1000, 5000]);
    assert.deepEqual(limits({ min_pixels: 2000 }), [2000, 5000]);
    assert.deepEqual(limits({ max_pixels: 12_000_000 }), [1000, 12_000_000]);
    assert.deepEqual(limits({ max_pixels: 500 }), [500, 500]);
    assert.deepEqual(limits({ min_pixels: 9000 }), [9000, 9000]);
    assert.deepEqual(limits({ size: { shortest_edge: 10, longest_edge: 20 } }), [10, 20]);
  });

  test('are bounded', () => {
    for (const value of [0, -1, 1.5, NaN, Infinity, 1e9, '5', {}, true]) {
      throwsWith(() => limits({ max_pixels: value }), 'invalid_value');
      throwsWith(() => limits({ min_pixels: value }), 'invalid_value');
    }
    throwsWith(() => limits({ min_pixels: 20, max_pixels: 10 }), 'invalid_value');
  });
});

describe('pictures', async () => {
  const processor = await createProcessor(modelFolderOf('qwen2_vl'), loadAddon());
  const image = (width: number, height: number, options = {}) =>
    processor.process({ kind: 'image', data: new Uint8Array(width * height * 3), width, height }, options);

  test('of an aspect ratio beyond 200 are refused', async () => {
    await rejectsWith(image(401, 1), 'invalid_image');
    assert.equal((await image(1, 1)).numTokens, 4);
  });

  test('take the tokens that their limits allow', async () => {
    assert.deepEqual((await image(1000, 1000)).media.grid, [1, 8, 8]);
    assert.deepEqual((await image(1000, 1000, { max_pixels: 50_000 })).media.grid, [1, 14, 14]);
    assert.equal((await image(1000, 1000, { max_pixels: 50_000 })).numTokens, 49);
  });

  test('clips of an odd number of frames fill their last pair', async () => {
    const frames = Array.from({ length: 3 }, () => new Uint8Array(56 * 56 * 3));
    const metadata = { fps: 1, totalNumFrames: 3, duration: 3, framesIndices: [0, 1, 2] };
    const clip: DecodedVideo = { kind: 'video', frames, width: 56, height: 56, sampledFps: 1, metadata };
    const item = await processor.process(clip, {});
    assert.deepEqual(item.media.grid, [2, 4, 4]);
    assert.equal(item.secondsPerGrid, 2);
  });

  test('sound is not taken', async () => {
    const audio = { kind: 'audio', samples: new Float32Array(16_000), samplingRate: 16_000 } as const;
    await rejectsWith(processor.process(audio, {}), 'unsupported_modality');
  });
});
