import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DecodedVideo } from '../../../lib/media/types.js';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import { rejectsWith } from '../media/support/errors.js';
import { modelFolderOf } from '../support/goldens.js';

// The checkpoint takes clips of 4096 to 34816 pixels, all frames together, in cells of 32 x 32.
const processor = await createProcessor(modelFolderOf('qwen3_vl'), loadAddon());
const CELL = 32 * 32;

interface Shape {
  width?: number;
  height?: number;
  numFrames?: number;
}

function clipOf({ width = 256, height = 128, numFrames = 4 }: Shape): DecodedVideo {
  const frames = Array.from({ length: numFrames }, (_, k) => new Uint8Array(width * height * 3).fill(k));
  const framesIndices = [...frames.keys()];
  const metadata = { fps: 2, totalNumFrames: numFrames, duration: numFrames / 2, framesIndices };
  return { kind: 'video', frames, width, height, sampledFps: 2, metadata };
}

/** Cells of a frame, [rows, columns]. */
async function cellsOf(options: Record<string, unknown>, shape: Shape = {}): Promise<number[]> {
  const { media } = await processor.process(clipOf(shape), options);
  const [, rows, columns] = media.grid;
  return [rows / 2, columns / 2];
}

describe("what a request asks for of Qwen3-VL's clips", () => {
  test('without anything the checkpoint holds all frames together', async () => {
    assert.deepEqual(await cellsOf({}), [2, 4]);
    assert.deepEqual(await cellsOf({}, { numFrames: 16 }), [1, 2]);
  });

  test('resized_height and resized_width are the size itself', async () => {
    assert.deepEqual(await cellsOf({ resized_height: 96, resized_width: 64 }), [3, 2]);
    assert.deepEqual(await cellsOf({ resized_height: 100, resized_width: 60 }), [3, 2]);
    assert.deepEqual(await cellsOf({ resized_height: 320, resized_width: 320, max_pixels: CELL }), [10, 10]);
  });

  test('max_pixels holds for each frame, within the limit of the clip', async () => {
    assert.deepEqual(await cellsOf({ max_pixels: 2 * CELL }), [1, 2]);
    assert.deepEqual(await cellsOf({ max_pixels: 8 * CELL }), [2, 4]);
    assert.deepEqual(await cellsOf({ max_pixels: 500 * CELL }), [2, 4]);
  });

  test('min_pixels holds for each frame, also where the clip becomes larger than its limit', async () => {
    assert.deepEqual(await cellsOf({ min_pixels: 18 * CELL }), [3, 6]);
    assert.deepEqual(await cellsOf({ min_pixels: 18 * CELL }, { numFrames: 16 }), [3, 6]);
    assert.deepEqual(await cellsOf({ min_pixels: 2 * CELL, max_pixels: 2 * CELL }), [1, 2]);
    assert.deepEqual(await cellsOf({ min_pixels: 16 * CELL }, { width: 64, height: 32 }), [3, 6]);
  });

  test('total_pixels are shared by the frames, two of which are seen as one', async () => {
    assert.deepEqual(await cellsOf({ total_pixels: 4 * CELL }), [1, 2]);
    assert.deepEqual(await cellsOf({ total_pixels: 64 * CELL }), [4, 8]);
    assert.deepEqual(await cellsOf({ total_pixels: 64 * CELL, max_pixels: 8 * CELL }), [2, 4]);
    assert.deepEqual(await cellsOf({ total_pixels: 4 * CELL, min_pixels: 8 * CELL }), [2, 4]);
    assert.deepEqual(await cellsOf({ total_pixels: 1 }), [1, 1]);
  });

  test('size is the limit of the clip', async () => {
    assert.deepEqual(await cellsOf({ size: { shortest_edge: 4096, longest_edge: 8 * CELL } }), [1, 2]);
    assert.deepEqual(await cellsOf({ size: { shortest_edge: 4096, longest_edge: 128 * CELL } }), [4, 8]);
  });

  test('do_resize: false leaves frames of whole cells as they are', async () => {
    assert.deepEqual(await cellsOf({ do_resize: false }), [4, 8]);
    const error = await rejectsWith(
      cellsOf({ do_resize: false }, { width: 250, height: 128 }),
      'invalid_video',
    );
    assert.match(error.message, /250 x 128/);
  });

  test('frames made smaller one by one give the same patches', async () => {
    const video = clipOf({ width: 300, height: 200, numFrames: 3 });
    const asked = [
      { max_pixels: 4 * CELL },
      { total_pixels: 9 * CELL },
      { resized_height: 64, resized_width: 96 },
      { min_pixels: 6 * CELL, max_pixels: 6 * CELL },
    ];
    for (const options of asked) {
      const whole = (await processor.process(video, options)).media;
      const resizer = processor.frameResizer?.(video, 3, options);
      if (resizer === undefined) continue;
      const { width, height } = resizer;
      const frames = await Promise.all(video.frames.map((frame) => resizer.resize(frame)));
      const stepwise = (await processor.process({ ...video, frames, width, height }, options)).media;
      assert.deepEqual([...stepwise.grid], [...whole.grid]);
      assert.deepEqual(stepwise.features(), whole.features());
    }
    assert.ok(processor.frameResizer?.(video, 3, asked[0]!));
  });

  test('nonsense is refused', async () => {
    const bad: Record<string, unknown>[] = [
      { min_pixels: 20, max_pixels: 10 },
      { max_pixels: 0 },
      { min_pixels: 2 ** 40 },
      { total_pixels: '9' },
      { resized_height: 64 },
      { do_resize: 'no' },
    ];
    for (const options of bad) await rejectsWith(cellsOf(options), 'invalid_value');
    await rejectsWith(cellsOf({ resized_height: 1, resized_width: 4096 }), 'invalid_video');
  });
});
