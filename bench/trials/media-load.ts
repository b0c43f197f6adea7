import sharp from 'sharp';

import { LLM } from '../../dist/index.js';
import { collectRarely, giveWayToAnswers } from '../../dist/llm/process-wide.js';
import { check, median, type Figure, type Trial, type TrialContext } from '../trial.js';
import { visionCheckpoint } from './vision-model.js';

const WIDTH = 2464;
const HEIGHT = 1640;
const NUM_PICTURES = 8;
const NUM_IMAGES = 32;
const NUM_ROUNDS = 3;
const NUM_TOKENS = 150;
const WANTED_SCALING = 1.8;
const MOST_SLOWER = 1.15;

/** Four megapixels of smooth colours and noise, as cameras give them. */
async function photo(seed: number): Promise<Buffer> {
  const noise = { type: 'gaussian', mean: 100 + seed, sigma: 20 } as const;
  const create = { width: WIDTH / 4, height: HEIGHT / 4, channels: 3, noise } as const;
  return sharp({ create: { ...create, background: 'gray' } })
    .resize(WIDTH, HEIGHT, { kernel: 'cubic' })
    .jpeg({ quality: 90 })
    .toBuffer();
}

const photos = (): Promise<Buffer[]> => Promise.all(Array.from({ length: NUM_PICTURES }, (_, i) => photo(i)));

function load(context: TrialContext, numMediaWorkers: number): Promise<LLM> {
  const model = visionCheckpoint(context.workFolder);
  const options = { dtype: 'bfloat16', maxModelLen: 8192, maxNumSeqs: 4, kvCacheGb: 0.5 } as const;
  // Nothing is kept, so that every picture is decoded and preprocessed.
  return LLM.load({ model, ...options, mmProcessorCacheGb: 0, numMediaWorkers });
}

/** Decodes and preprocesses one picture as a request's way to the engine does, without the engine. */
async function preprocess(llm: LLM, bytes: Buffer): Promise<void> {
  const media = { modality: 'image', source: { kind: 'bytes', bytes }, param: 'image' } as const;
  const content = [{ type: 'media', media } as const];
  const { tokenIds } = await llm.renderChat([{ role: 'user', content, isPlainText: false, extra: {} }]);
  check(tokenIds.length > 5000, 'a picture of four megapixels has its tokens');
}

/** Keeps `numAtOnce` pictures under way until `isOver`; resolves to how many were done. */
async function keepPreprocessing(
  llm: LLM,
  pictures: readonly Buffer[],
  numAtOnce: number,
  isOver: (numBegun: number) => boolean,
): Promise<number> {
  let numBegun = 0;
  const work = async (): Promise<void> => {
    while (!isOver(numBegun)) await preprocess(llm, pictures[numBegun++ % pictures.length] as Buffer);
  };
  await Promise.all(Array.from({ length: numAtOnce }, work));
  return numBegun;
}

async function runWorkers(context: TrialContext): Promise<Figure[]> {
  collectRarely();
  await giveWayToAnswers();
  const pictures = await photos();
  const models = [await load(context, 1), await load(context, 2)];
  const rates = models.map((): number[] => []);
  for (let round = 0; round <= NUM_ROUNDS; round++) {
    for (const [i, llm] of models.entries()) {
      const startMs = performance.now();
      const numDone = await keepPreprocessing(llm, pictures, 4, (numBegun) => numBegun >= NUM_IMAGES);
      if (round > 0) rates[i]?.push((numDone * 1000) / (performance.now() - startMs));
    }
  }
  await Promise.all(models.map((llm) => llm.close()));
  const [one = NaN, two = NaN] = rates.map(median);
  return [
    {
      name: 'four-megapixel JPEGs decoded and preprocessed, 2 workers',
      value: two,
      unit: '1/s',
      shares: [{ of: `${one.toFixed(1)} 1/s of one worker`, value: two / one }],
      target: `>= ${WANTED_SCALING} times one worker`,
      isMet: two / one >= WANTED_SCALING,
    },
  ];
}

/** Milliseconds between the tokens of one stream. */
async function streamGaps(llm: LLM, salt: number): Promise<number[]> {
  const gaps: number[] = [];
  let lastMs: number | undefined;
  const options = { temperature: 0, maxTokens: NUM_TOKENS, ignoreEos: true };
  for await (const delta of llm.generateStream([5, 6, 7, 8, 9, 10 + salt], options)) {
    check(delta.tokenIds.length === 1, 'one token at a time');
    const nowMs = performance.now();
    if (lastMs !== undefined) gaps.push(nowMs - lastMs);
    lastMs = nowMs;
  }
  return gaps;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

async function runUnderLoad(context: TrialContext): Promise<Figure[]> {
  collectRarely();
  await giveWayToAnswers();
  const pictures = await photos();
  const llm = await load(context, 2);
  await streamGaps(llm, 0);
  const alone: number[] = [];
  const beside: number[] = [];
  let numPreprocessed = 0;
  for (let round = 1; round <= 3; round++) {
    alone.push(...(await streamGaps(llm, round)));
    let isOver = false;
    const preprocessing = keepPreprocessing(llm, pictures, 4, () => isOver);
    beside.push(...(await streamGaps(llm, round)));
    isOver = true;
    numPreprocessed += await preprocessing;
  }
  check(numPreprocessed > 0, 'pictures were preprocessed');
  await llm.close();
  const [before, during] = [percentile(alone, 0.99), percentile(beside, 0.99)];
  return [
    {
      name: `text stream beside ${numPreprocessed} four-megapixel pictures, p99 between tokens (median ${median(beside).toFixed(1)} ms)`,
      value: during,
      unit: 'ms',
      shares: [
        {
          of: `${before.toFixed(1)} ms alone (median ${median(alone).toFixed(1)} ms)`,
          value: during / before,
        },
      ],
      target: `<= ${Math.round(MOST_SLOWER * 100)} % of alone`,
      isMet: during <= before * MOST_SLOWER,
    },
  ];
}

export const MEDIA_LOAD_TRIALS: Trial[] = [
  { name: 'media-workers', title: 'Preprocessing scales', run: runWorkers },
  { name: 'media-under-load', title: 'Answers beside preprocessing', run: runUnderLoad },
];
