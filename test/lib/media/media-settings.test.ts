import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  checkServerMediaOptions,
  readMediaSettings,
  splitFrameList,
  type MediaSettings,
} from '../../../lib/media/media-settings.js';
import { createMediaPolicy } from '../../../lib/media/policy.js';
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

  test('a request or a part drops the rivals of the other kind of options too', () => {
    assert.equal(read(kwargs({ fps: 2 }), io({ num_frames: -1 })).decode.numFrames, undefined);
    assert.equal(read(io({ num_frames: 4 }), kwargs({ fps: 2 })).decode.fps, undefined);
    const part = { ...VIDEO, options: { nframes: 6 } };
    const { decode, ioKwargs } = read(io({ fps: 2 }), io({ num_frames: 8 }), part);
    assert.deepEqual([decode.fps, decode.numFrames, decode.numSpreadFrames], [undefined, undefined, 6]);
    assert.deepEqual(ioKwargs, {});
    const both = read({ ...io({ num_frames: 9 }), ...kwargs({ fps: 3 }) }).decode;
    assert.deepEqual([both.numFrames, both.fps], [9, 3]);
  });

  test('do_sample_frames lets the processor choose among the frames that reading chose', () => {
    const again = kwargs({ fps: 2, do_sample_frames: true });
    const { decode } = read(again, io({ num_frames: -1 }));
    assert.deepEqual([decode.numFrames, decode.fps, decode.resampling?.fps], ['all', undefined, 2]);
    assert.equal(read(again).decode.numFrames, 'all');
    assert.equal(read(again, io({ num_frames: 16 })).decode.numFrames, 16);
    const once = read(kwargs({ fps: 2, do_sample_frames: false }), io({ num_frames: 16 })).decode;
    assert.deepEqual([once.numFrames, once.fps, once.resampling], [16, undefined, undefined]);
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

  test('a sampler has one of the known names', () => {
    assert.equal(read(io({ video_backend: 'glm46v' })).decode.sampler, 'glm46v');
    assert.throws(() => read(io({ video_backend: 'nemotron_vl' })), {
      code: 'invalid_value',
      param: 'media_io_kwargs.video.video_backend',
      message: /opencv, qwen2_vl, qwen3_vl, opencv_dynamic, glm46v, glmga/,
    });
    for (const name of ['', 3, {}, 'constructor', '__proto__']) {
      throwsWith(() => read(io({ video_backend: name })), 'invalid_value');
    }
  });

  test('the environment names the sampler where no option does', () => {
    for (const name of ['SENSORIUM_VIDEO_LOADER_BACKEND', 'VLLM_VIDEO_LOADER_BACKEND']) {
      const policy = createMediaPolicy({}, { [name]: 'qwen3_vl' });
      assert.equal(readMediaSettings(VIDEO, {}, {}, policy).decode.sampler, 'qwen3_vl');
      const named = readMediaSettings(VIDEO, io({ video_backend: 'opencv' }), {}, policy);
      assert.equal(named.decode.sampler, 'opencv');
      throwsWith(() => createMediaPolicy({}, { [name]: 'magic' }), 'invalid_option');
    }
    throwsWith(() => createMediaPolicy({ videoLoader: 'magic' }, {}), 'invalid_option');
  });

  test('names of codecs and their settings are checked, and change neither frames nor keys', () => {
    const harmless = {
      backend: 'torchcodec',
      seek_mode: 'approximate',
      num_ffmpeg_threads: 0,
      hw_decoders: 2,
      pool_size: 16,
    };
    assert.deepEqual(read(io(harmless)).ioKwargs, {});
    for (const backend of ['opencv', 'pyav', 'torchcodec', 'pynvvideocodec', 'deepstream']) {
      read(io({ backend, frame_recovery: true }));
    }
    const bad = {
      backend: 'vlc',
      seek_mode: 'fast',
      num_ffmpeg_threads: -1,
      hw_decoders: 'x',
      pool_size: 1e9,
    };
    for (const [name, value] of Object.entries(bad)) {
      assert.throws(() => read(io({ [name]: value })), {
        code: 'invalid_value',
        param: `media_io_kwargs.video.${name}`,
      });
    }
  });

  test('absurd numbers are refused, wherever they stand', () => {
    const bad: Record<string, unknown[]> = {
      fps: [0, -2, 1e9, NaN, Infinity, '2', {}, true],
      num_frames: [0, -2, 1.5, 1e9, NaN, '4', []],
      max_frames: [0, -1, 1025, 1e9, NaN, '4'],
      min_frames: [0, -1, 1e9, NaN],
      use_audio_in_video: [1, 'true'],
      do_sample_frames: [1, 'false'],
      frame_recovery: [0, 'true', {}],
      temporal_patch_size: [0, -2, 1.5, 1e9, '2'],
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

  test('of one place only are checked there', () => {
    const ioOnly: Record<string, unknown[]> = {
      max_duration: [0, -1, 1e9, NaN, '300'],
      frames_indices: [3, '0,1', [0.5], [-1], ['0'], Array(1025).fill(0)],
      total_num_frames: [0, -1, 1.5, 1e12, '9'],
      duration: [-1, NaN, Infinity, '9'],
    };
    const partOnly: Record<string, unknown[]> = {
      nframes: [0, -1, 1.5, 1025, '4'],
      total_pixels: [0, -1, 1.5, NaN, '9'],
      video_start: [-1, NaN, 1e9, '0'],
      video_end: [-1, NaN, 1e9, '0'],
    };
    for (const [name, values] of Object.entries(ioOnly)) {
      for (const value of values) {
        assert.throws(() => read(io({ [name]: value })), { param: `media_io_kwargs.video.${name}` });
      }
    }
    for (const [name, values] of Object.entries(partOnly)) {
      for (const value of values) {
        throwsWith(() => read({}, {}, { ...VIDEO, options: { [name]: value } }), 'invalid_value');
      }
    }
    for (const sides of [
      { resized_height: 56 },
      { resized_width: 56 },
      { resized_height: 0, resized_width: 56 },
    ]) {
      throwsWith(() => read(kwargs(sides)), 'invalid_value');
    }
    throwsWith(() => read(kwargs({ resized_height: 1e5, resized_width: 56 })), 'invalid_value');
  });

  test('500 frames are within the usual ceilings', () => {
    const { decode } = read(io({ num_frames: 500, max_frames: 1024, fps: 30 }));
    assert.deepEqual([decode.numFrames, decode.maxFrames, decode.fps], [500, 1024, 30]);
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

describe('options that a server is started with', () => {
  const check = (options: MediaOptions): void => checkServerMediaOptions(options, policyWith());

  test('follow the rules of requests', () => {
    check({});
    check({ ...io({ num_frames: 32, frame_recovery: true }), ...kwargs({ fps: 2, do_sample_frames: true }) });
    const bad: [MediaOptions, string][] = [
      [io({ fps: 1e9 }), 'mediaIoKwargs.video.fps'],
      [io({ video_backend: 'magic' }), 'mediaIoKwargs.video.video_backend'],
      [kwargs({ max_pixels: 'many' }), 'mmProcessorKwargs.max_pixels'],
      [{ mediaIoKwargs: { videos: {} } as never }, 'mediaIoKwargs'],
      [{ mediaIoKwargs: { image: 3 } as never }, 'mediaIoKwargs.image'],
    ];
    for (const [options, param] of bad)
      assert.throws(() => check(options), { code: 'invalid_option', param });
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
