import { SingleBar } from 'cli-progress';
import { LLM } from '../llm.js';
import type { LLMOptions } from '../llm/types.js';

const MEBIBYTE = 2 ** 20;

/** Loads a model; on a terminal, a bar on stderr shows how far it is. */
export async function loadModel(options: LLMOptions): Promise<LLM> {
  if (!process.stderr.isTTY) return LLM.load(options);
  const bar = new SingleBar({
    format: 'loading [{bar}] {value}/{total} MiB',
    barsize: 30,
    clearOnComplete: true,
    hideCursor: true,
    stream: process.stderr,
  });
  let hasBegun = false;
  const onProgress = (doneBytes: number, totalBytes: number): void => {
    if (!hasBegun) bar.start(Math.ceil(totalBytes / MEBIBYTE), 0);
    hasBegun = true;
    bar.update(Math.ceil(doneBytes / MEBIBYTE));
  };
  try {
    return await LLM.load({ ...options, onProgress });
  } finally {
    if (hasBegun) bar.stop();
  }
}

/** One line about what runs. */
export function describeModel(llm: LLM): string {
  const parameters = (llm.info.numParameters / 1e6).toFixed(1);
  const tiles = llm.tileUnit === 'none' ? '' : `, tiles: ${llm.tileUnit}`;
  return `${llm.modelId}: ${llm.info.architecture}, ${parameters} M parameters, ${llm.dtype}, ${llm.isa}${tiles}, ${llm.numThreads} threads`;
}
