import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LLM, type LLMOptions } from '../../../lib/index.js';

const bad: [LLMOptions, string][] = [
  [{ mediaIoKwargs: { video: { fps: 1e9 } } }, 'mediaIoKwargs.video.fps'],
  [{ mediaIoKwargs: { video: { num_frames: 0 } } }, 'mediaIoKwargs.video.num_frames'],
  [{ mediaIoKwargs: { video: { numFrames: 'all' } } }, 'mediaIoKwargs.video.num_frames'],
  [{ mediaIoKwargs: { video: { video_backend: 'nemotron_vl' } } }, 'mediaIoKwargs.video.video_backend'],
  [
    { mediaIoKwargs: { image: { rgba_background_color: [1, 2] } } },
    'mediaIoKwargs.image.rgba_background_color',
  ],
  [{ mmProcessorKwargs: { max_pixels: 1.5 } }, 'mmProcessorKwargs.max_pixels'],
  [{ mmProcessorKwargs: { videos_kwargs: { fps: -1 } } }, 'mmProcessorKwargs.fps'],
];

for (const [options, param] of bad) {
  test(`a model is not loaded with a ${param} that no request could have`, async () => {
    await assert.rejects(LLM.load(options), (error: unknown) => {
      const { code, message, param: named } = error as { code: string; message: string; param: string };
      assert.deepEqual([code, named], ['invalid_option', param]);
      assert.match(message, /must/);
      return true;
    });
  });
}
