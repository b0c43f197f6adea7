import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import type { NativeErrorCode, NativePatchOptions } from '../../../lib/native/addon.js';
import { loadAddon } from '../../../lib/native/load.js';
import { GOLDENS } from '../support/goldens.js';
import { PATCH_OPTIONS, caseFile, componentFile, maxDifference, readTensor } from './support.js';

const addon = loadAddon();

const hasCode =
  (code: NativeErrorCode, text = /./) =>
  (error: unknown): boolean =>
    error instanceof Error && 'code' in error && error.code === code && text.test(error.message);

async function decode(file: string): Promise<{ data: Uint8Array; width: number; height: number }> {
  const { data, info } = await sharp(file).removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

test('patches of an image equal the reference', async () => {
  const file = caseFile('qwen2_vl', 'img_basic');
  const expected = readTensor(file, 'pixel_values');
  const [t, h, w] = readTensor(file, 'image_grid_thw').values;
  const { data, width, height } = await decode(join(GOLDENS, 'qwen2_vl', 'cases', 'img_basic', 'm1.png'));
  const size = { width: w! * 14, height: h! * 14 };
  assert.deepEqual(addon.smartResize(height, width, 28, 3136, 15680), size);
  const media = await addon.patchifyImage(data, width, height, { ...PATCH_OPTIONS, ...size });
  assert.equal(media.modality, 'image');
  assert.deepEqual(media.grid, [t, h, w]);
  assert.equal(media.numRows, expected.shape[0]);
  assert.equal(media.sizeBytes, size.width * size.height * 3 + 3 * 256 * 4); // 8-bit levels and their table
  assert.ok(maxDifference(media.features(), expected.values) <= 1e-5);
});

test('disposed media cannot be used, and are disposed of once', async () => {
  const media = await addon.patchifyImage(new Uint8Array(28 * 28 * 3), 28, 28, {
    ...PATCH_OPTIONS,
    width: 28,
    height: 28,
  });
  media.dispose();
  media.dispose();
  const uses = [() => media.grid, () => media.tiles, () => media.sizeBytes, () => media.numRows, () => media.features()];
  for (const use of uses) assert.throws(use, { code: 'invalid_argument', message: /disposed/ });
  assert.throws(() => addon.soundWindow(media, 0, 1, 1), { code: 'invalid_argument', message: /disposed/ });
});

test('patches of a video repeat the last frame of an odd count', async () => {
  const frames = [10, 20, 30].map((level) => new Uint8Array(28 * 28 * 3).fill(level));
  const options = { ...PATCH_OPTIONS, doRescale: false, doNormalize: false };
  const media = await addon.patchifyVideo(frames, 28, 28, 0.5, options);
  assert.equal(media.modality, 'video');
  assert.deepEqual(media.grid, [2, 2, 2]);
  const features = media.features();
  const [perPatch, perFrame] = [3 * 2 * 14 * 14, 14 * 14];
  assert.deepEqual(
    [features[0], features[perFrame], features[4 * perPatch], features[4 * perPatch + perFrame]],
    [10, 20, 30, 30],
  );
});

test('log-mel frames equal the reference', async () => {
  const samples = readTensor(componentFile('log_mel'), 'wave.16001').values as Float32Array;
  const { shape, values } = readTensor(componentFile('log_mel'), 'longest.80.16001');
  const media = await addon.logMel(samples, { numMelBins: 80, isPaddedWithSilence: false });
  assert.equal(media.modality, 'audio');
  assert.deepEqual(media.grid, [0, 0, 0]);
  assert.equal(media.numRows, shape[1]);
  const features = media.features();
  const timeMajor = Float32Array.from(features, (_, i) => values[(i % 80) * shape[1]! + Math.floor(i / 80)]!);
  assert.ok(maxDifference(features, timeMajor) <= 1e-4);
  const padded = await addon.logMel(samples, { numMelBins: 80, isPaddedWithSilence: true, paddedSamples: 480000 });
  assert.equal(padded.numRows, 3000);
});

test('stereo is mixed and resampled', async () => {
  const samples = readTensor(componentFile('resample'), 'in_stereo.44100').values as Float32Array;
  const expected = readTensor(componentFile('resample'), 'mono_then_soxr_hq.44100').values;
  const found = await addon.resample(samples, 2, 44100, 16000);
  assert.equal(found.length, expected.length);
  assert.ok(maxDifference(found.subarray(200, -200), expected.subarray(200, -200)) <= 2e-3);
});

test('many images are processed at once and given back to the collector', async () => {
  const pixels = new Uint8Array(280 * 280 * 3).fill(128);
  const options = { ...PATCH_OPTIONS, width: 56, height: 56 };
  const all = await Promise.all(
    Array.from({ length: 64 }, () => addon.patchifyImage(pixels, 280, 280, options)),
  );
  const first = all[0]!.features();
  assert.ok(all.every((media) => maxDifference(media.features(), first) === 0));
});

test('refused media reject with invalid_media', async () => {
  const options: NativePatchOptions = { ...PATCH_OPTIONS, width: 30 };
  await assert.rejects(addon.patchifyImage(new Uint8Array(3), 1, 1, options), hasCode('invalid_media', /multiple/));
  await assert.rejects(addon.patchifyVideo([], 1, 1, 0, PATCH_OPTIONS), hasCode('invalid_media', /without frames/));
  const logMelOptions = { numMelBins: 80, isPaddedWithSilence: true };
  await assert.rejects(addon.logMel(new Float32Array(0), logMelOptions), hasCode('invalid_media'));
  await assert.rejects(addon.logMel(new Float32Array([NaN]), logMelOptions), hasCode('invalid_media'));
  await assert.rejects(addon.resample(new Float32Array(3), 2, 8000, 16000), hasCode('invalid_media'));
  await assert.rejects(addon.resample(new Float32Array(3), 1, 10, 16000), hasCode('invalid_media'));
  assert.throws(() => addon.smartResize(1, 201, 28, 3136, 12845056), hasCode('invalid_media', /aspect ratio/));
});

test('arguments of a wrong type or range throw invalid_argument and name the argument', () => {
   
  const raw = addon as any;
  const good = new Uint8Array(28 * 28 * 3);
  const detached = new Uint8Array(28 * 28 * 3);
  structuredClone(detached.buffer, { transfer: [detached.buffer] });
  const resizable = Reflect.construct(ArrayBuffer, [28 * 28 * 3, { maxByteLength: 28 * 28 * 6 }]) as ArrayBuffer;
  const calls: [RegExp, () => unknown][] = [
    [/^height/, () => raw.smartResize('1', 2, 28, 1, 2)],
    [/^width/, () => raw.smartResize(1, 2.5, 28, 1, 2)],
    [/^maxPixels/, () => raw.smartResize(1, 2, 28, 1, NaN)],
    [/^pixels/, () => raw.patchifyImage()],
    [/^pixels/, () => raw.patchifyImage(new Int8Array(3), 1, 1, PATCH_OPTIONS)],
    [/^pixels.*resizable/, () => raw.patchifyImage(new Uint8Array(resizable), 28, 28, PATCH_OPTIONS)],
    [/bytes, not 0/, () => raw.patchifyImage(detached, 28, 28, PATCH_OPTIONS)],
    [/bytes, not/, () => raw.patchifyImage(good, 28, 29, PATCH_OPTIONS)],
    [/^width/, () => raw.patchifyImage(good, -1, 28, PATCH_OPTIONS)],
    [/^options/, () => raw.patchifyImage(good, 28, 28, null)],
    [/^options\.mean/, () => raw.patchifyImage(good, 28, 28, { ...PATCH_OPTIONS, mean: [1, 2] })],
    [/^options\.filter/, () => raw.patchifyImage(good, 28, 28, { ...PATCH_OPTIONS, filter: 'nearest' })],
    [/^options\.patchSize/, () => raw.patchifyImage(good, 28, 28, { ...PATCH_OPTIONS, patchSize: 0 })],
    [/^frames\[1\]/, () => raw.patchifyVideo([good, {}], 28, 28, 0, PATCH_OPTIONS)],
    [/^secondsPerGrid/, () => raw.patchifyVideo([good], 28, 28, -1, PATCH_OPTIONS)],
    [/^pixels of 28 x 29/, () => raw.resizeRgb(good, 28, 29, { width: 14, height: 14, filter: 'bicubic' })],
    [/^options\.width/, () => raw.resizeRgb(good, 28, 28, { width: 40_000, height: 1, filter: 'bicubic' })],
    [/^options\.filter/, () => raw.resizeRgb(good, 28, 28, { width: 14, height: 14, filter: 'nearest' })],
    [/^samples/, () => raw.logMel(new Float64Array(9), { numMelBins: 80, isPaddedWithSilence: true })],
    [/^options\.isPaddedWithSilence/, () => raw.logMel(new Float32Array(9), { numMelBins: 80 })],
    [/^numChannels/, () => raw.resample(new Float32Array(9), 0, 8000, 16000)],
  ];
  for (const [text, call] of calls) assert.throws(call, hasCode('invalid_argument', text), String(call));
});

test('methods do not run on foreign objects, and instances cannot be made', async () => {
  const media = await addon.patchifyImage(new Uint8Array(28 * 28 * 3), 28, 28, PATCH_OPTIONS);
  assert.throws(() => new (media.constructor as new () => unknown)(), hasCode('invalid_argument'));
  assert.throws(() => Reflect.apply(media.features, {}, []), Error);
  const getter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(media), 'grid')?.get;
  assert.throws(() => Reflect.apply(getter!, Object.create(media as object), []), Error);
});

test('ready-made rows are kept as they are, and their values are checked', async () => {
  const rows = Float32Array.of(1, -2, 3e38, -0, 5, 6);
  const media = await addon.embeddings('video', rows, 2, [1, 2, 4], 0.5);
  assert.deepEqual([media.modality, media.numRows, media.sizeBytes], ['video', 2, 24]);
  assert.deepEqual(media.grid, [1, 2, 4]);
  rows.fill(0);
  assert.deepEqual([...media.features()], [...Float32Array.of(1, -2, 3e38, -0, 5, 6)]);
  for (const bad of [NaN, Infinity, -Infinity]) {
    const broken = addon.embeddings('audio', Float32Array.of(1, bad), 1, [0, 0, 0], 0);
    await assert.rejects(broken, hasCode('invalid_media', /NaN or infinite/));
  }
  const uneven = addon.embeddings('audio', new Float32Array(5), 2, [0, 0, 0], 0);
  await assert.rejects(uneven, hasCode('invalid_argument', /5 values are not 2 rows/));
  const wrong: [...Parameters<typeof addon.embeddings>][] = [
    ['picture' as 'image', new Float32Array(4), 1, [1, 2, 2], 0],
    ['image', new Float64Array(4) as unknown as Float32Array, 1, [1, 2, 2], 0],
    ['image', new Float32Array(4), 0, [1, 2, 2], 0],
    ['image', new Float32Array(4), 1, [1, 2] as unknown as [number, number, number], 0],
    ['image', new Float32Array(4), 1, [1, 2, -2], 0],
    ['image', new Float32Array(4), 1, [1, 2, 2 ** 31], 0],
    ['video', new Float32Array(4), 1, [1, 2, 2], NaN],
  ];
  for (const args of wrong) assert.throws(() => addon.embeddings(...args), hasCode('invalid_argument'));
});
