import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { loadModel } from './load.js';
import {
  addEngineOptions,
  addSamplingOptions,
  toLLMOptions,
  toSampling,
  type EngineFlags,
  type SamplingFlags,
} from './options.js';
import { describeSpeed, printStream } from './print.js';

interface RunFlags extends EngineFlags, SamplingFlags {
  prompt?: string;
}

export function addRunCommand(program: Command): void {
  const command = program
    .command('run')
    .description('continue a text, without a chat template')
    .argument(
      '[model]',
      "folder of a checkpoint, or a model's name on the Hub; default: the embedded demo model",
    )
    .option('--prompt <text>', 'text to continue; default: what comes on stdin');
  addSamplingOptions(command);
  addEngineOptions(command);
  command.action(runRun);
}

async function runRun(model: string | undefined, flags: RunFlags): Promise<void> {
  const prompt = flags.prompt ?? (await readAll(process.stdin));
  const llm = await loadModel(toLLMOptions(model, flags));
  try {
    const request = await llm.submitPrompt(prompt, [], { sampling: toSampling(flags) });
    const result = await printStream(request);
    if (process.stderr.isTTY) process.stderr.write(`(${describeSpeed(result)})\n`);
  } finally {
    await llm.close();
  }
}
