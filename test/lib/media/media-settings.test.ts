import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readMediaSettings, splitFrameList, type MediaSettings } from '../../../lib/media/media-settings.js';
import type { MediaOptions, MediaPart } from '../../../lib/media/types.js';
import { policyWith } from './support/context.js';
import { throwsWith } from './support/errors.js';

const VIDEO: MediaPart = { modality: 'video', param: 'messages[0].content[0]' };
const read = (request: MediaOptions, server: MediaOptions = {}, part = VIDEO): MediaSettings =>
  readMediaSettings(part, server, request, policyWith());
const io = (video: Record<string, unknown>): MediaOptions => ({ mediaIoKwargs: { video } });
const kwargs = (mmProcessorKwargs: Record<string, unknown>): MediaOptions => ({ mmProcessorKwargs });

describe('merging', () => {
  test('request options lie over the server ones, the part over both', () => {
    const part = { ...VIDEO, options: { fps: 3 } };
    assert.equal(read({}, kwargs({ fps: 1 })).decode.fps, 1);
    assert.equal(read(kwargs({ fps: 2 }), kwargs({ fps: 1 })).decode.fps, 2);
    assert.equal(read(kwargs({ fps: 2 }), kwargs({ fps: 1 }), part).decode.fps, 3);
    assert.equal(read({ ...io({ fps: 5 }), ...kwargs({ fps: null }) }).decode.fps, 5);
  });

  test('one of fps and num_frames drops the server value of the other', () => {
    assert.deepEqual(read(io({ num_frames: 8 }), io({ fps: 2, max_frames: 9 })).ioKwargs, {
      num_frames: 8,
      max_frames: 9,
    });
    assert.deepEqual(read(io({ fps: 2 }), io({ num_frames: 8 })).ioKwargs, { fps: 2 });
    assert.deepEqual(read(io({ fps: 2, num_frames: 4 }), io({ num_frames: 8 })).ioKwargs, {
      fps: 2,
      num_frames: 4,
    });
  });

  test('nested groups reach their own modality', () => {
    const nested = kwargs({ min_pixels: 1, videos_kwargs: { fps: 4 }, images_kwargs: { min_pixels: 2 } });
    assert.deepEqual(read(nested).processorKwargs, { min_pixels: 1, fps: 4 });
    assert.deepEqual(read(nested, {}, { ...VIDEO, modality: 'image' }).processorKwargs, { min_pixels: 2 });
  });
});

describe('values', () => {
  test('-1 means all frames, and no limit by rate', () => {
    const { numFrames, fps } = read(io({ num_frames: -1, fps: -1 })).decode;
    assert.deepEqual([numFrames, fps], ['all', undefined]);
    assert.equal(read(io({ num_frames: 500 })).decode.numFrames, 500);
  });

  test('alpha goes on white unless another colour or no composition is asked for', () => {
    const image = (options: Record<string, unknown>): unknown =>
      read({ mediaIoKwargs: { image: options } }, {}, { ...VIDEO, modality: 'image' }).decode.background;
    assert.deepEqual(image({}), [255, 255, 255]);
    assert.deepEqual(image({ image_mode: 'RGB', rgba_background_color: [1, 2, 3] }), [1, 2, 3]);
    assert.equal(image({ image_mode: null }), undefined);
    for (const color of [[1, 2], [1, 2, 3, 4], [1, 2, 256], [1, 2, -1], [1, 2, 1.5], 'white', [1, 2, '3']]) {
      throwsWith(() => image({ rgba_background_color: color }), 'invalid_value');
    }
    throwsWith(() => image({ image_mode: 'L' }), 'invalid_value');
  });

  test('absurd numbers are refused, wherever they stand', () => {
    const bad: Record<string, unknown[]> = {
      fps: [0, -2, 1e9, NaN, Infinity, '2', {}, true],
      num_frames: [0, -2, 1.5, 1e9, NaN, '4', []],
      max_frames: [0, -1, 1025, 1e9, NaN, '4'],
      min_frames: [0, -1, 1e9, NaN],
      use_audio_in_video: [1, 'true'],
    };
    for (const [name, values] of Object.entries(bad)) {
      for (const value of values) {
        throwsWith(() => read(kwargs({ [name]: value })), 'invalid_value');
        throwsWith(() => read(io({ [name]: value })), 'invalid_value');
        throwsWith(() => read({}, {}, { ...VIDEO, options: { [name]: value } }), 'invalid_value');
      }
    }
    for (const value of [0, -1, NaN, '5', 1.5])
      throwsWith(() => read(kwargs({ max_pixels: value })), 'invalid_value');
    throwsWith(() => read({ mediaIoKwargs: { video: [] as never } }), 'invalid_value');
    throwsWith(() => read(kwargs({ videos_kwargs: 3 })), 'invalid_value');
    throwsWith(() => read(kwargs({ fps: -1 })), 'invalid_value');
  });

  test('the error names the field that holds the wrong value', () => {
    const wrong = { fps: 1e9 };
    const cases: [MediaOptions, string][] = [
      [kwargs(wrong), 'mm_processor_kwargs.fps'],
      [kwargs({ videos_kwargs: wrong }), 'mm_processor_kwargs.fps'],
      [kwargs({ videos_kwargs: 3 }), 'mm_processor_kwargs.videos_kwargs'],
      [io(wrong), 'media_io_kwargs.video.fps'],
      [{ mediaIoKwargs: { video: [] as never } }, 'media_io_kwargs.video'],
    ];
    for (const [request, param] of cases) assert.throws(() => read(request), { param });
    assert.throws(() => read({}, {}, { ...VIDEO, options: wrong }), { param: VIDEO.param });
  });
});

describe('data:video/jpeg lists', () => {
  test('are split, and counted before anything is decoded', () => {
    assert.deepEqual(splitFrameList('data:video/jpeg;base64,AA,BB,CC', 3), ['AA', 'BB', 'CC']);
    assert.equal(splitFrameList('data:video/mp4;base64,AA', 3), undefined);
    assert.equal(splitFrameList('http://a.example/x', 3), undefined);
    throwsWith(
      () => splitFrameList(`data:video/jpeg;base64,${'AA,'.repeat(100_000)}`, 1024),
      'invalid_video',
    );
  });
});
