import { SingleBar } from 'cli-progress';
import { LLM } from '../llm.js';
import type { LLMOptions } from '../llm/types.js';

const MEBIBYTE = 2 ** 20;

/** A bar on stderr that appears with the first step. */
class ProgressBar {
  private readonly bar: SingleBar;
  private isShown = false;

  constructor(verb: string) {
    this.bar = new SingleBar({
      format: `${verb} [{bar}] {value}/{total} MiB`,
      barsize: 30,
      clearOnComplete: true,
      hideCursor: true,
      stream: process.stderr,
    });
  }

  update(doneBytes: number, totalBytes: number): void {
    const total = Math.ceil(totalBytes / MEBIBYTE);
    if (!this.isShown) this.bar.start(total, 0);
    this.isShown = true;
    this.bar.setTotal(total);
    this.bar.update(Math.ceil(doneBytes / MEBIBYTE));
  }

  stop(): void {
    if (this.isShown) this.bar.stop();
    this.isShown = false;
  }
}

/** Loads a model; on a terminal, bars on stderr show how far fetching and loading are. */
export async function loadModel(options: LLMOptions): Promise<LLM> {
  if (!process.stderr.isTTY) return LLM.load(options);
  const fetching = new ProgressBar('fetching');
  const loading = new ProgressBar('loading');
  try {
    return await LLM.load({
      ...options,
      onDownload: ({ doneBytes, totalBytes }) => fetching.update(doneBytes, totalBytes),
      onProgress: (doneBytes, totalBytes) => {
        fetching.stop();
        loading.update(doneBytes, totalBytes);
      },
    });
  } finally {
    fetching.stop();
    loading.stop();
  }
}

/** One line about what runs. */
export function describeModel(llm: LLM): string {
  const parameters = (llm.info.numParameters / 1e6).toFixed(1);
  const tiles = llm.tileUnit === 'none' ? '' : `, tiles: ${llm.tileUnit}`;
  return `${llm.modelId}: ${llm.info.architecture}, ${parameters} M parameters, ${llm.dtype}, ${llm.isa}${tiles}, ${llm.numThreads} threads`;
}
