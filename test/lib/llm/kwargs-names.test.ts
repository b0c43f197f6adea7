import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SensoriumError } from '../../../lib/errors.js';
import {
  engineMediaOptions,
  mergeMediaOptions,
  normaliseMediaOptions,
} from '../../../lib/llm/kwargs-names.js';

const isInvalidOption = (error: unknown): boolean =>
  error instanceof SensoriumError && error.code === 'invalid_option';

describe('names of media options', () => {
  test('become those of the decoders and processors, at every depth', () => {
    const options = normaliseMediaOptions({
      mediaIoKwargs: { video: { numFrames: 4, fps: 2 }, image: { rgbaBackgroundColor: [0, 0, 0] } },
      mmProcessorKwargs: {
        minPixels: 1,
        max_pixels: 2,
        imagesKwargs: { size: { shortestEdge: 3 } },
        list: [{ keptAsItIs: 1 }],
      },
    });
    assert.deepEqual(options, {
      mediaIoKwargs: { video: { num_frames: 4, fps: 2 }, image: { rgba_background_color: [0, 0, 0] } },
      mmProcessorKwargs: {
        min_pixels: 1,
        max_pixels: 2,
        images_kwargs: { size: { shortest_edge: 3 } },
        list: [{ keptAsItIs: 1 }],
      },
    });
    assert.deepEqual(normaliseMediaOptions({}), { mediaIoKwargs: undefined, mmProcessorKwargs: undefined });
  });

  test('that are given twice, or are no objects, are refused', () => {
    const refused: object[] = [
      { mmProcessorKwargs: { minPixels: 1, min_pixels: 2 } },
      { mediaIoKwargs: { video: { numFrames: 1, num_frames: 1 } } },
      { mmProcessorKwargs: [] },
      { mediaIoKwargs: 'x' },
    ];
    for (const options of refused) assert.throws(() => normaliseMediaOptions(options), isInvalidOption);
  });

  test('are merged group by group', () => {
    const base = {
      mediaIoKwargs: { video: { fps: 1, num_frames: 2 }, image: { image_mode: 'RGB' } },
      mmProcessorKwargs: { a: 1, b: 1 },
    };
    const over = { mediaIoKwargs: { video: { fps: 3 } }, mmProcessorKwargs: { b: 2 } };
    assert.deepEqual(mergeMediaOptions(base, over), {
      mediaIoKwargs: { video: { fps: 3, num_frames: 2 }, image: { image_mode: 'RGB' } },
      mmProcessorKwargs: { a: 1, b: 2 },
    });
    assert.deepEqual(mergeMediaOptions({}, {}), { mediaIoKwargs: undefined, mmProcessorKwargs: undefined });
  });

  test('the background colour of a model is laid over its other options', () => {
    const { mediaIoKwargs } = engineMediaOptions({
      rgbaBackgroundColor: [1, 2, 3],
      mediaIoKwargs: { image: { rgbaBackgroundColor: [0, 0, 0] }, video: { fps: 1 } },
    });
    assert.deepEqual(mediaIoKwargs, { image: { rgba_background_color: [1, 2, 3] }, video: { fps: 1 } });
  });
});
