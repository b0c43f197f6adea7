import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import type { Command } from 'commander';
import { SensoriumError } from '../errors.js';
import type { LLM } from '../llm.js';
import type { Modality } from '../media/types.js';
import { describeModel, loadModel } from './load.js';
import { readMediaParts, userMessage } from './media-parts.js';
import { addEngineOptions, toLLMOptions, type EngineFlags } from './options.js';
import { describeSpeed, printStream } from './print.js';

const SAMPLES = fileURLToPath(new URL('../../models/demo/samples/', import.meta.url));

const QUESTIONS: { modality: Modality; file: string; question: string }[] = [
  { modality: 'image', file: 'shape-2.jpg', question: 'Describe this image.' },
  { modality: 'video', file: 'video-1.mp4', question: 'Describe this video.' },
  { modality: 'audio', file: 'speech-1.wav', question: 'Transcribe the audio.' },
];

export function addDemoCommand(program: Command): void {
  const command = program
    .command('demo')
    .description('ask the embedded model about a picture, a clip and a sound');
  addEngineOptions(command);
  command.action(runDemo);
}

async function runDemo(flags: EngineFlags): Promise<void> {
  const startMs = performance.now();
  const llm = await loadModel(toLLMOptions(undefined, flags));
  try {
    const out = process.stdout;
    out.write(`${describeModel(llm)}\nloaded in ${(performance.now() - startMs).toFixed(0)} ms\n`);
    for (const { modality, file, question } of QUESTIONS) {
      const filePath = path.join(SAMPLES, file);
      if (!existsSync(filePath)) throw new SensoriumError('local_file_not_found', `${filePath} is missing.`);
      out.write(
        `\n${modality.padEnd(6)} ${path.relative(process.cwd(), filePath)}\nasked  ${question}\nanswer `,
      );
      await ask(llm, { [modality]: [filePath] }, question);
    }
    out.write(
      `\ninstruction set: ${llm.isa}; in all ${((performance.now() - startMs) / 1000).toFixed(1)} s\n`,
    );
  } finally {
    await llm.close();
  }
}

/** A clip needs ffmpeg; without it the demo says so and goes on. */
async function ask(llm: LLM, files: Partial<Record<Modality, string[]>>, question: string): Promise<void> {
  try {
    const message = userMessage(await readMediaParts(files), question);
    const result = await printStream(await llm.submitChat([message], { sampling: { temperature: 0 } }));
    const { imageTokens, videoTokens, audioTokens } = result.usage;
    process.stdout.write(
      `       ${describeSpeed(result)}, media tokens: ${imageTokens + videoTokens + audioTokens}\n`,
    );
  } catch (error) {
    if (!(error instanceof SensoriumError) || error.code !== 'ffmpeg_missing') throw error;
    process.stdout.write(`(left out) ${error.message}\n`);
  }
}
