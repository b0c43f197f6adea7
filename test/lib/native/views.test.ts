import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NativeViewRules } from '../../../lib/native/addon.js';
import { loadAddon } from '../../../lib/native/load.js';

const addon = loadAddon();

const PATCHES = {
  patchSize: 14,
  temporalPatchSize: 1,
  mergeSize: 1,
  mean: [0, 0, 0] as [number, number, number],
  std: [1, 1, 1] as [number, number, number],
  filter: 'bicubic' as const,
  doResize: true,
  doRescale: false,
  doNormalize: false,
  rescaleFactor: 1,
};
const WIDTH = 64;
const HEIGHT = 48;
const pixels = new Uint8Array(WIDTH * HEIGHT * 3).fill(9);

const view = (rules: NativeViewRules, frames = [pixels]): ReturnType<typeof addon.patchifyViews> =>
  addon.patchifyViews(frames, WIDTH, HEIGHT, frames.length > 1 ? 'video' : 'image', rules, PATCHES);

test('each kind of rules gives its views', async () => {
  const clip = await view({ kind: 'clip', width: 28, height: 28, shortestEdge: 28, cropWidth: 28, cropHeight: 28 });
  assert.deepEqual([clip.grid, clip.numRows, clip.tiles], [[1, 2, 2], 4, null]);
  assert.ok(clip.features().every((value) => value === 9));

  const frames = await view({ kind: 'clip', width: 30, height: 42 }, [pixels, pixels, pixels]);
  assert.deepEqual([frames.modality, frames.grid], ['video', [3, 3, 2]]);

  const pinpoints: [number, number][] = [
    [28, 28],
    [28, 56],
    [56, 56],
  ];
  const anyres = await view({ kind: 'anyres', tile: 28, pinpoints, maxTiles: 9 });
  assert.deepEqual(anyres.grid, [5, 2, 2]);
  assert.deepEqual(anyres.tiles, { rows: 2, columns: 2, packedHeight: 4, packedWidth: 4 });

  const hd = await view({ kind: 'hd', tile: 28, numCrops: 4 });
  assert.deepEqual([hd.grid, hd.tiles?.rows, hd.tiles?.columns], [[5, 2, 2], 2, 2]);
  assert.equal(hd.features().length, 5 * 4 * 3 * 14 * 14);

  const rules = { maxSlices: 9, scaleResolution: 28 };
  const slices = await view({ kind: 'slices', ...rules });
  const { rows, columns } = addon.planSlices(WIDTH, HEIGHT, rules, 14);
  assert.ok(rows * columns > 1);
  assert.deepEqual([slices.tiles?.rows, slices.tiles?.columns, slices.grid[0]], [rows, columns, 1 + rows * columns]);
});

const hasCode =
  (code: string, named: RegExp) =>
  (error: Error & { code?: string }): boolean =>
    error.code === code && named.test(error.message);

test('rules that are none throw invalid_argument and name the argument', () => {
  const clip = { kind: 'clip', width: 28, height: 28 };
  const wrong: [unknown, RegExp][] = [
    [{ kind: 'round' }, /^rules\.kind/],
    [{ kind: 'clip', width: 28 }, /^rules\.height/],
    [{ ...clip, shortestEdge: 0 }, /^rules\.shortestEdge/],
    [{ ...clip, cropHeight: 28 }, /^rules\.cropWidth/],
    [{ ...clip, squareBackground: [1, 2] }, /^rules\.squareBackground/],
    [{ ...clip, squareBackground: [1, 2, 256] }, /^rules\.squareBackground/],
    [{ kind: 'anyres', tile: 28, maxTiles: 9, pinpoints: [[28]] }, /^rules\.pinpoints\[0\]/],
    [{ kind: 'anyres', tile: 28, maxTiles: 0, pinpoints: [] }, /^rules\.maxTiles/],
    [{ kind: 'hd', tile: 28 }, /^rules\.numCrops/],
    [{ kind: 'slices', maxSlices: 1e9, scaleResolution: 28 }, /^rules\.maxSlices/],
  ];
  for (const [rules, named] of wrong) {
    assert.throws(() => view(rules as NativeViewRules), hasCode('invalid_argument', named));
  }
  const clipRules = clip as NativeViewRules;
  assert.throws(
    () => addon.patchifyViews([pixels], WIDTH, HEIGHT + 1, 'image', clipRules, PATCHES),
    hasCode('invalid_argument', /9408 bytes/),
  );
  assert.throws(
    () => addon.patchifyViews([pixels], WIDTH, HEIGHT, 'audio' as 'image', clipRules, PATCHES),
    hasCode('invalid_argument', /^modality/),
  );
});

test('pictures that cannot be cut reject with invalid_media', async () => {
  const uneven: [number, number][] = [[30, 28]];
  await assert.rejects(view({ kind: 'clip', width: 7, height: 7 }), hasCode('invalid_media', /tiles/));
  await assert.rejects(
    view({ kind: 'anyres', tile: 28, maxTiles: 9, pinpoints: uneven }),
    hasCode('invalid_argument', /multiples/),
  );
  const line = new Uint8Array(60_000 * 3);
  const thin = addon.patchifyViews([line], 60_000, 1, 'image', { kind: 'hd', tile: 28, numCrops: 4 }, PATCHES);
  await assert.rejects(thin, hasCode('invalid_media', /differ that much/));
  const none = addon.patchifyViews([], 1, 1, 'video', { kind: 'clip', width: 28, height: 28 }, PATCHES);
  await assert.rejects(none, hasCode('invalid_media', /without frames/));
});
