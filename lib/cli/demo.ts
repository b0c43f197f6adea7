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

interface Question {
  modality: Modality;
  file: string;
  /** The same as an animated picture, which needs no ffmpeg. */
  animation?: string;
  question: string;
}

const QUESTIONS: Question[] = [
  { modality: 'image', file: 'shape-2.jpg', question: 'Describe this image.' },
  { modality: 'video', file: 'video-1.mp4', animation: 'video-1.webp', question: 'Describe this video.' },
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
    for (const question of QUESTIONS) await ask(llm, question);
    out.write(
      `\ninstruction set: ${llm.isa}; in all ${((performance.now() - startMs) / 1000).toFixed(1)} s\n`,
    );
  } finally {
    await llm.close();
  }
}

/** A clip needs ffmpeg: without it the same clip is read as an animation. */
async function ask(llm: LLM, { modality, file, animation, question }: Question): Promise<void> {
  try {
    await askAbout(llm, modality, file, question);
  } catch (error) {
    const needsFfmpeg = error instanceof SensoriumError && error.code === 'ffmpeg_missing';
    if (!needsFfmpeg || animation === undefined) throw error;
    process.stdout.write('(ffmpeg is not installed: the same clip as an animated WebP)\n');
    await askAbout(llm, modality, animation, question);
  }
}

async function askAbout(llm: LLM, modality: Modality, file: string, question: string): Promise<void> {
  const filePath = path.join(SAMPLES, file);
  if (!existsSync(filePath)) throw new SensoriumError('local_file_not_found', `${filePath} is missing.`);
  const { stdout } = process;
  stdout.write(
    `\n${modality.padEnd(6)} ${path.relative(process.cwd(), filePath)}\nasked  ${question}\nanswer `,
  );
  const message = userMessage(await readMediaParts({ [modality]: [filePath] }), question);
  const result = await printStream(await llm.submitChat([message], { sampling: { temperature: 0 } }));
  const { imageTokens, videoTokens, audioTokens } = result.usage;
  stdout.write(`       ${describeSpeed(result)}, media tokens: ${imageTokens + videoTokens + audioTokens}\n`);
}
