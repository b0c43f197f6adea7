import { loadAddon } from '../../dist/native/load.js';
import { check, medianMs, type Figure, type Trial } from '../trial.js';

const CLIP_MEAN: [number, number, number] = [0.48145466, 0.4578275, 0.40821073];
const CLIP_STD: [number, number, number] = [0.26862954, 0.26130258, 0.27577711];

async function runPatchify(): Promise<Figure[]> {
  const addon = loadAddon();
  const [width, height] = [2560, 1440];
  const pixels = new Uint8Array(width * height * 3).map((_, i) => (i * 31 + (i >>> 9)) & 255);
  // The processor class's own limits, 56² and 28² * 1280 pixels: the picture is scaled down.
  const size = addon.smartResize(height, width, 28, 56 * 56, 28 * 28 * 1280);
  const run = (): Promise<unknown> =>
    addon.patchifyImage(pixels, width, height, {
      patchSize: 14,
      temporalPatchSize: 2,
      mergeSize: 2,
      mean: CLIP_MEAN,
      std: CLIP_STD,
      filter: 'bicubic',
      doResize: true,
      doRescale: true,
      doNormalize: true,
      rescaleFactor: 1 / 255,
      ...size,
    });
  const media = (await run()) as { grid: number[] };
  check(
    media.grid[1] === size.height / 14 && media.grid[2] === size.width / 14,
    'the grid of the resized picture',
  );
  const ms = await medianMs(15, run);
  return [
    {
      name: 'Qwen2-VL preprocessing, decoded 2560x1440, one core',
      value: ms,
      unit: 'ms',
      shares: [],
      target: '<= 12 ms',
      isMet: ms <= 12,
    },
  ];
}

async function runLogMel(): Promise<Figure[]> {
  const addon = loadAddon();
  const samples = new Float32Array(30 * 16000).map(
    (_, i) => 0.3 * Math.sin(i * 0.05) + 0.1 * Math.sin(i * 0.71),
  );
  const run = (): ReturnType<typeof addon.logMel> =>
    addon.logMel(samples, { numMelBins: 128, isPaddedWithSilence: true });
  const media = await run();
  check(media.numRows === 3000, '3000 frames');
  check(media.features().every(Number.isFinite), 'finite features');
  const ms = await medianMs(31, run);
  return [
    {
      name: 'log-mel, 30 s, 128 bins, one core',
      value: ms,
      unit: 'ms',
      shares: [],
      target: '<= 3 ms',
      isMet: ms <= 3,
    },
  ];
}

export const MEDIA_TRIALS: Trial[] = [
  { name: 'patchify', title: 'Image preprocessing', run: runPatchify },
  { name: 'log-mel', title: 'Audio preprocessing', run: runLogMel },
];
