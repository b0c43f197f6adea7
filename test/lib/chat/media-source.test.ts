import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SensoriumError, type ErrorCode } from '../../../lib/errors.js';
import { readPayload, type PayloadContext } from '../../../lib/chat/media-source.js';
import type { MediaSource, Modality } from '../../../lib/media/types.js';

const context = (modality: Modality, more: Partial<PayloadContext> = {}): PayloadContext => ({
  modality,
  param: 'x',
  isStrict: false,
  mayBePath: true,
  ...more,
});
const image = (value: unknown): MediaSource => readPayload(value, context('image'));
const video = (value: unknown, metadata?: unknown): MediaSource =>
  readPayload(value, context('video', { metadata }));
const audio = (value: unknown): MediaSource => readPayload(value, context('audio'));
const refuses = (work: () => unknown, code: ErrorCode): void =>
  assert.throws(work, (error) => error instanceof SensoriumError && error.code === code);

describe('payloads of a program', () => {
  test('texts are paths or URLs, URL objects of files are paths', () => {
    assert.deepEqual(image('a/b.png'), { kind: 'path', path: 'a/b.png' });
    assert.deepEqual(image('C:/b.png'), { kind: 'path', path: 'C:/b.png' });
    assert.deepEqual(image('https://a/b.png'), { kind: 'url', url: 'https://a/b.png' });
    assert.deepEqual(image('file:///b.png'), { kind: 'url', url: 'file:///b.png' });
    assert.deepEqual(image(new URL('file:///a%20b.png')), { kind: 'path', path: '/a b.png' });
    const noPath = readPayload('a/b.png', context('image', { mayBePath: false }));
    assert.deepEqual(noPath, { kind: 'url', url: 'a/b.png' });
  });

  test('8-bit arrays are pixels by their shape', () => {
    const layout = (shape: number[]): unknown => {
      const data = new Uint8Array(shape.reduce((product, size) => product * size, 1));
      const source = image({ data, shape });
      assert.ok(source.kind === 'pixels');
      const { width, height, channels, isPlanar = false } = source.pixels;
      return [height, width, channels, isPlanar];
    };
    assert.deepEqual(layout([5, 7]), [5, 7, 1, false]);
    assert.deepEqual(layout([5, 7, 1]), [5, 7, 1, false]);
    assert.deepEqual(layout([5, 7, 4]), [5, 7, 4, false]);
    assert.deepEqual(layout([3, 5, 7]), [5, 7, 3, true]);
    assert.deepEqual(layout([2, 5, 7]), [5, 7, 2, true]);
    assert.deepEqual(layout([3, 5, 3]), [3, 5, 3, false]);
    for (const shape of [[5], [5, 5, 5], [1, 2, 3, 4, 5], [-1, 2, 3], [0, 2, 3], [1.5, 2]]) {
      refuses(() => image({ data: new Uint8Array(30), shape }), 'invalid_image');
    }
  });

  test('frames: lists, arrays, and what is known of their clip by either spelling', () => {
    const data = new Uint8Array(2 * 2 * 2 * 3);
    const frame = { data: new Uint8Array(12), width: 2, height: 2 };
    const clip = { fps: 5, framesIndices: [0, 3], duration: 2, totalNumFrames: 10 };
    const wire = { fps: 5, frames_indices: [0, 3], duration: 2, total_num_frames: 10 };
    for (const source of [
      video([frame, frame], wire),
      video({ frames: [frame, frame], metadata: wire }),
      video({ data, shape: [2, 2, 2, 3] }, clip),
      video([[frame, frame], clip]),
      video([{ data, shape: [2, 2, 2, 3] }, wire]),
    ]) {
      assert.ok(source.kind === 'frames');
      assert.equal(source.frames.length, 2);
      assert.deepEqual(source.metadata, clip);
    }
    const paths = video(['a.png', 'b.png']);
    assert.ok(paths.kind === 'frames');
    assert.deepEqual(paths.frames, [
      { kind: 'path', path: 'a.png' },
      { kind: 'path', path: 'b.png' },
    ]);
    const few = video({ frames: ['a.png'], fps: 4 });
    assert.ok(few.kind === 'frames' && few.fps === 4 && few.metadata === undefined);
    refuses(() => video({ frames: [] }), 'invalid_value');
    refuses(() => video([]), 'invalid_value');
    refuses(() => video({ frames: Array(4097).fill('a.png') }), 'invalid_video');
    refuses(() => video({ frames: ['a.png'], fps: -1 }), 'invalid_value');
    refuses(() => video({ frames: [{ frames: ['a.png'] }] }), 'missing_field');
    refuses(() => video(['a.png'], 'x'), 'invalid_type');
  });

  test('samples: of two dimensions the smaller is the channels', () => {
    const layout = (value: unknown): unknown => {
      const source = audio(value);
      assert.ok(source.kind === 'samples');
      return [source.sound.layout, source.sound.numChannels, source.sound.samplingRate];
    };
    const data = new Float32Array(12);
    assert.deepEqual(layout(data), ['planar', 1, undefined]);
    assert.deepEqual(layout([data, 8000]), ['planar', 1, 8000]);
    assert.deepEqual(layout({ samples: [0.5], sampling_rate: 8000 }), ['planar', 1, 8000]);
    assert.deepEqual(layout([{ data, shape: [2, 6] }, 8000]), ['planar', 2, 8000]);
    assert.deepEqual(layout([{ data, shape: [6, 2] }, 8000]), ['interleaved', 2, 8000]);
    assert.deepEqual(layout({ data, shape: [12], samplingRate: 8000 }), ['planar', 1, 8000]);
    assert.deepEqual(layout([[data, data], 8000]), ['channels', 2, 8000]);
    assert.deepEqual(
      layout([
        [
          [0, 0],
          [0, 0],
          [0, 0],
        ],
        8000,
      ]),
      ['frames', 2, 8000],
    );
    refuses(() => audio({ data, shape: [1, 2, 6] }), 'invalid_audio');
    refuses(() => audio({ data, shape: [] }), 'invalid_audio');
    refuses(() => audio([data, '8000']), 'invalid_audio');
    refuses(() => audio({ samples: data, samplingRate: '8000' }), 'invalid_value');
    refuses(() => audio({ samples: 'x' }), 'invalid_type');
    refuses(() => audio({ data: ['a'], shape: [1] }), 'invalid_type');
  });
});

describe('payloads of the wire', () => {
  const strict = (value: unknown, modality: Modality = 'image'): MediaSource =>
    readPayload(value, context(modality, { isStrict: true }));

  test('name media by URL only, whatever they look like', () => {
    assert.deepEqual(strict('/etc/passwd'), { kind: 'url', url: '/etc/passwd' });
    assert.deepEqual(strict({ url: 'a' }), { kind: 'url', url: 'a' });
    for (const value of [
      { data: [1], shape: [1] },
      { data: 'x', width: 1, height: 1 },
      { path: '/etc/passwd' },
      { kind: 'path', path: '/etc/passwd' },
      { samples: [0], samplingRate: 8000 },
    ]) {
      for (const modality of ['image', 'video', 'audio'] as const) {
        refuses(() => strict(value, modality), 'missing_field');
      }
    }
    for (const value of [5, true, ['a'], null]) refuses(() => strict(value), 'invalid_type');
  });

  test('frames of a video are URLs as well', () => {
    const source = strict({ frames: ['/etc/passwd', { url: 'b' }] }, 'video');
    assert.ok(source.kind === 'frames');
    assert.deepEqual(source.frames, [
      { kind: 'url', url: '/etc/passwd' },
      { kind: 'url', url: 'b' },
    ]);
  });
});
