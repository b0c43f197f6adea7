import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { listItems } from '../../../lib/llm/prompt-items.js';

const PNG = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const MP4 = Buffer.from('\0\0\0\x18ftypisom', 'latin1');
const GIF = Buffer.from('GIF89a', 'latin1');
const PIXELS = { data: new Uint8Array(12), width: 2, height: 2 };
const samples = new Float32Array(4);

describe('items of a modality', () => {
  test('one picture, several, and an array of several', () => {
    assert.deepEqual(listItems('a.png', 'image'), ['a.png']);
    assert.deepEqual(listItems(['a.png', null], 'image'), ['a.png', null]);
    assert.deepEqual(listItems([], 'image'), []);
    const three = { data: new Uint8Array(3 * 12), shape: [3, 2, 2, 3] };
    assert.deepEqual(
      listItems(three, 'image'),
      Array.from({ length: 3 }, () => ({ data: new Uint8Array(12), shape: [2, 2, 3] })),
    );
  });

  test('a list of nothing but pictures is one video, other lists are several', () => {
    const oneVideo = [
      [PNG, PNG],
      [PIXELS],
      [{ data: new Uint8Array(12), shape: [2, 2, 3] }],
      [sharp(PNG), PIXELS],
      ['a.png', 'b.JPG', new URL('file:///c.jpeg'), 'data:image/png;base64,AA'],
      [[PIXELS], { fps: 1 }],
    ];
    for (const list of oneVideo) assert.deepEqual(listItems(list, 'video'), [list]);
    const several = [
      [MP4, MP4],
      [GIF, PNG],
      ['a.mp4', 'b.png'],
      ['a.webp'],
      [null, PIXELS],
      [{ frames: [PIXELS] }],
      [[PIXELS], [PIXELS]],
      [[[PIXELS], { fps: 1 }], MP4],
      [{ data: new Uint8Array(24), shape: [2, 2, 2, 3] }],
    ];
    for (const list of several) assert.deepEqual(listItems(list, 'video'), list);
    const clips = { data: new Uint8Array(48), shape: [2, 2, 2, 2, 3] };
    assert.equal(listItems(clips, 'video').length, 2);
    assert.equal(listItems({ frames: [PIXELS] }, 'video').length, 1);
  });

  test('samples with their rate and lists of numbers are one sound', () => {
    for (const one of [
      [samples, 8000],
      [[0.5, 0.25], 8000],
      [0.5, 8000],
      [[samples, samples], 8000],
      samples,
    ]) {
      assert.deepEqual(listItems(one, 'audio'), [one]);
    }
    for (const list of [[samples, samples], [[samples, 8000], samples], ['a.wav', null], [[samples, 8000]]]) {
      assert.deepEqual(listItems(list, 'audio'), list);
    }
  });
});
