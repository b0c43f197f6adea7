import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { LLM, type LLMOptions } from '../../dist/index.js';
import { computeShares } from '../limits.js';
import { writeCheckpoint } from '../random-checkpoint.js';
import { DEMO_FOLDER } from '../paths.js';
import { prefillFlops, TEXT_474M, textConfig, textTensors, textWeightCount } from '../shapes.js';
import { check, median, type Figure, type Trial, type TrialContext } from '../trial.js';

const NUM_REPEATS = 5;
const NUM_DECODED = 48;

function checkpointFolder(workFolder: string): string {
  const folder = join(workFolder, 'text-474m');
  if (!existsSync(join(folder, 'model.safetensors'))) {
    writeCheckpoint(folder, {
      config: { architectures: ['Qwen2ForCausalLM'], model_type: 'qwen2', ...textConfig(TEXT_474M) },
      tensors: textTensors(TEXT_474M),
      tokenizerFrom: DEMO_FOLDER,
    });
  }
  return folder;
}

function load(context: TrialContext, options: LLMOptions = {}): Promise<LLM> {
  return LLM.load({
    model: checkpointFolder(context.workFolder),
    dtype: 'bfloat16',
    maxModelLen: 1024,
    maxNumSeqs: 16,
    enablePrefixCaching: false,
    ...options,
  });
}

/** `length` ids that differ from prompt to prompt. */
function promptOf(length: number, salt: number): number[] {
  return Array.from({ length }, (_, i) => 10 + ((i * 7919 + salt * 104_729) % 1000));
}

const GREEDY = { temperature: 0, repetitionPenalty: 1, ignoreEos: true };

async function runPrefill(context: TrialContext): Promise<Figure[]> {
  const llm = await load(context);
  const length = 512;
  const times: number[] = [];
  for (let i = 0; i <= NUM_REPEATS; i++) {
    const result = await llm.generate(promptOf(length, i), { ...GREEDY, maxTokens: 1 });
    check(
      result.usage.promptTokens === length && result.outputs[0]?.tokenIds.length === 1,
      'one token after 512',
    );
    if (i > 0) times.push(result.timings.prefillMs);
  }
  const ms = median(times);
  const shares = computeShares(context.limits, llm.isa, prefillFlops(TEXT_474M, length), ms);
  const bar = shares[0]?.of.startsWith('AMX') ? 0.3 : 0.75;
  await llm.close();
  return [
    {
      name: 'prefill of 512 tokens',
      value: (length / ms) * 1000,
      unit: 'tok/s',
      shares,
      target: `>= ${bar * 100} %`,
      isMet: (shares[0]?.value ?? 0) >= bar,
    },
  ];
}

/** Milliseconds of one decode step with `batch` sequences. */
async function decodeStepMs(llm: LLM, batch: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 3; i++) {
    const results = await llm.generate(
      Array.from({ length: batch }, (_, k) => ({ prompt: promptOf(32, 100 * i + k) })),
      { ...GREEDY, maxTokens: NUM_DECODED },
    );
    check(
      results.every((result) => result.outputs[0]?.tokenIds.length === NUM_DECODED),
      `${NUM_DECODED} tokens each`,
    );
    times.push(median(results.map((result) => result.timings.decodeMs)) / (NUM_DECODED - 1));
  }
  return median(times);
}

async function runDecode(context: TrialContext): Promise<Figure[]> {
  const llm = await load(context);
  const single = await decodeStepMs(llm, 1);
  const batched = await decodeStepMs(llm, 16);
  await llm.close();
  const { body, head } = textWeightCount(TEXT_474M);
  const share = (2 * (body + head)) / (single / 1000) / context.limits.dram_read_bytes_per_s;
  const gain = (16 * single) / batched;
  return [
    {
      name: 'decode, batch 1',
      value: 1000 / single,
      unit: 'tok/s',
      shares: [{ of: 'DRAM read', value: share }],
      target: '>= 75 %',
      isMet: share >= 0.75,
    },
    {
      name: 'decode, batch 16 against batch 1',
      value: gain,
      unit: 'x',
      shares: [],
      target: '>= 8 x',
      isMet: gain >= 8,
    },
  ];
}

export const TEXT_TRIALS: Trial[] = [
  { name: 'prefill', title: 'Text model of 474 M parameters, prefill', run: runPrefill },
  { name: 'decode', title: 'Text model of 474 M parameters, decode', run: runDecode },
];
