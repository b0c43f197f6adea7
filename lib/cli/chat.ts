import { createInterface } from 'node:readline/promises';
import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { toSensoriumError } from '../errors.js';
import type { LLM } from '../llm.js';
import type { ChatMessage, ContentPart } from '../request/types.js';
import { describeModel, loadModel } from './load.js';
import { assistantMessage, readMediaParts, userMessage, type MediaFileFlags } from './media-parts.js';
import {
  addEngineOptions,
  addSamplingOptions,
  toLLMOptions,
  toSampling,
  type EngineFlags,
  type SamplingFlags,
} from './options.js';
import { describeSpeed, printStream } from './print.js';
import * as values from './values.js';

interface ChatFlags extends EngineFlags, SamplingFlags, MediaFileFlags {
  prompt?: string;
  system?: string;
}

const HELP = `
Examples:
  $ sensorium chat                                        a conversation with the embedded demo model
  $ sensorium chat --image photo.jpg --prompt "Describe this image."
  $ echo "What is said?" | sensorium chat ./model --audio talk.mp3`;

export function addChatCommand(program: Command): void {
  const command = program
    .command('chat')
    .description('talk to a checkpoint about pictures, clips and sounds')
    .argument(
      '[model]',
      "folder of a checkpoint, or a model's name on the Hub; default: the embedded demo model",
    );
  command.optionsGroup('Conversation:');
  command
    .option('--image <file>', 'picture for the first message (repeatable)', values.file)
    .option('--audio <file>', 'sound for the first message (repeatable)', values.file)
    .option('--video <file>', 'clip for the first message (repeatable)', values.file)
    .option('--prompt <text>', 'ask this, print the answer, leave')
    .option('--system <text>', 'system message');
  addSamplingOptions(command);
  addEngineOptions(command);
  command.addHelpText('after', HELP);
  command.action(runChat);
}

async function runChat(model: string | undefined, flags: ChatFlags): Promise<void> {
  const media = await readMediaParts(flags);
  const isInteractive = flags.prompt === undefined && process.stdin.isTTY;
  const prompt = isInteractive ? undefined : (flags.prompt ?? (await readAll(process.stdin)).trim());
  const llm = await loadModel(toLLMOptions(model, flags));
  try {
    const history: ChatMessage[] =
      flags.system === undefined
        ? []
        : [{ role: 'system', content: [{ type: 'text', text: flags.system }], isPlainText: true, extra: {} }];
    if (prompt === undefined) await converse(llm, flags, media, history);
    else await ask(llm, flags, [...history, userMessage(media, prompt)]);
  } finally {
    await llm.close();
  }
}

/** Streams one answer to stdout; Ctrl-C aborts it. */
async function ask(llm: LLM, flags: ChatFlags, messages: ChatMessage[]): Promise<string> {
  const controller = new AbortController();
  const onInterrupt = (): void => controller.abort();
  process.once('SIGINT', onInterrupt);
  try {
    const request = await llm.submitChat(messages, {
      sampling: toSampling(flags),
      signal: controller.signal,
    });
    const result = await printStream(request);
    if (process.stderr.isTTY) process.stderr.write(`(${describeSpeed(result)})\n`);
    return result.outputs[0]!.text;
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

async function converse(
  llm: LLM,
  flags: ChatFlags,
  media: ContentPart[],
  history: ChatMessage[],
): Promise<void> {
  process.stderr.write(`${describeModel(llm)}\nCtrl-D leaves.\n`);
  const lines = createInterface({ input: process.stdin, output: process.stderr, prompt: '> ' });
  let pending = media;
  lines.prompt();
  for await (const line of lines) {
    const question = line.trim();
    if (question !== '') {
      const message = userMessage(pending, question);
      try {
        const answer = await ask(llm, flags, [...history, message]);
        history.push(message, assistantMessage(answer));
        pending = [];
      } catch (error) {
        process.stderr.write(`${toSensoriumError(error).message}\n`);
      }
    }
    lines.prompt();
  }
}
