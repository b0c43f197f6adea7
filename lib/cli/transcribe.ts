import { writeFile } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import type { LLM } from '../llm.js';
import type { TranscribeOptions } from '../llm/types.js';
import { toSrt, toVerboseJson, toVtt } from '../transcription/formats.js';
import type { Transcription } from '../transcription/types.js';
import { loadModel } from './load.js';
import { addEngineOptions, toLLMOptions, type EngineFlags } from './options.js';
import { printable } from './print.js';
import * as values from './values.js';

type Format = 'text' | 'json' | 'srt' | 'vtt';

interface TranscribeFlags extends EngineFlags {
  model?: string;
  language?: string;
  translate?: boolean;
  prompt?: string;
  format: Format;
  words?: boolean;
  output?: string;
  temperature?: number;
}

const HELP = `
Examples:
  $ sensorium transcribe talk.mp3 --model ./whisper-large-v3
  $ sensorium transcribe film.mp4 --model ./whisper-large-v3 --format srt --output film.srt`;

const WRITERS: Record<Format, (transcription: Transcription) => string> = {
  text: ({ text }) => `${text.trim()}\n`,
  json: (transcription) => `${JSON.stringify(toVerboseJson(transcription), undefined, 2)}\n`,
  srt: toSrt,
  vtt: toVtt,
};

export function addTranscribeCommand(program: Command): void {
  const command = program
    .command('transcribe')
    .description('write down the speech in a sound or film')
    .argument('<file>', 'sound, or film whose sound is taken')
    .option('--model <folder>', 'folder of a speech checkpoint (Whisper)')
    .option('--language <name>', 'spoken language, as code or English name; default: told from the sound')
    .option('--translate', 'write it down in English')
    .option('--prompt <text>', 'names and words to expect, in the style to write in')
    .addOption(
      new Option('--format <name>', 'what is written')
        .choices(['text', 'json', 'srt', 'vtt'])
        .default('text'),
    )
    .option('--words', 'tell when each word is spoken; with --format json')
    .option('--output <file>', 'where to; default: standard output')
    .option(
      '--temperature <t>',
      '0 is greedy; default: greedy, and warmer where that fails',
      values.numberFrom(0, 2),
    );
  addEngineOptions(command);
  command.addHelpText('after', HELP);
  command.action(runTranscribe);
}

async function runTranscribe(file: string, flags: TranscribeFlags, command: Command): Promise<void> {
  if (flags.words === true && flags.format !== 'json') {
    command.error('error: --words goes with --format json, which tells them.');
  }
  const llm = await loadModel(toLLMOptions(flags.model, flags));
  const controller = new AbortController();
  const onInterrupt = (): void => controller.abort();
  process.once('SIGINT', onInterrupt);
  try {
    const transcription = await listen(llm, file, { ...toOptions(flags), signal: controller.signal });
    const text = WRITERS[flags.format](transcription);
    if (flags.output === undefined) process.stdout.write(printable(text));
    else await writeFile(flags.output, text);
  } finally {
    process.off('SIGINT', onInterrupt);
    await llm.close();
  }
}

/** On a terminal, what is understood so far is shown on stderr when the answer goes elsewhere. */
async function listen(llm: LLM, file: string, options: TranscribeOptions): Promise<Transcription> {
  const isShown = process.stderr.isTTY && !process.stdout.isTTY;
  for await (const event of llm.transcribeStream(file, options)) {
    if (event.type === 'done') return event.transcription;
    if (isShown) process.stderr.write(printable(event.text));
  }
  throw new Error('The transcription ended without a result.');
}

function toOptions(flags: TranscribeFlags): TranscribeOptions {
  const { language, prompt, temperature, format, words } = flags;
  return {
    task: flags.translate === true ? 'translate' : 'transcribe',
    language,
    prompt,
    temperature,
    hasTimestamps: format !== 'text',
    hasWordTimestamps: words,
    hasNoSpeechProbability: format === 'json',
  };
}
