import { text as readAll } from 'node:stream/consumers';
import type { Command } from 'commander';
import { loadModel } from './load.js';
import { readMediaParts, userMessage, type MediaFileFlags } from './media-parts.js';
import { addEngineOptions, toLLMOptions, type EngineFlags } from './options.js';
import * as values from './values.js';

interface EmbedFlags extends EngineFlags, MediaFileFlags {
  prompt?: string;
  dimensions?: number;
  normalize: boolean;
}

export function addEmbedCommand(program: Command): void {
  const command = program
    .command('embed')
    .description('print the embedding of a text, or of media with a text, as a JSON list')
    .argument(
      '[model]',
      "folder of a checkpoint, or a model's name on the Hub; default: the embedded demo model",
    )
    .option('--prompt <text>', 'text; default: what comes on stdin, or none beside media')
    .option('--image <file>', 'picture (repeatable)', values.file)
    .option('--video <file>', 'film (repeatable)', values.file)
    .option('--audio <file>', 'sound (repeatable)', values.file)
    .option(
      '--dimensions <n>',
      'only the first numbers, where the model is made for it',
      values.wholeNumber(1),
    )
    .option('--no-normalize', 'leave the length as it is');
  addEngineOptions(command);
  command.action(runEmbed);
}

async function runEmbed(model: string | undefined, flags: EmbedFlags): Promise<void> {
  const media = await readMediaParts(flags);
  const prompt = flags.prompt ?? (media.length > 0 ? '' : await readAll(process.stdin));
  const llm = await loadModel({ ...toLLMOptions(model, flags), runner: 'pooling' });
  try {
    const options = {
      isNormalized: flags.normalize,
      dimensions: flags.dimensions,
      addGenerationPrompt: false,
    };
    const { embedding } =
      media.length === 0
        ? await llm.poolPrompt(prompt, [], options)
        : await llm.poolChat([userMessage(media, prompt)], options);
    process.stdout.write(`${JSON.stringify(Array.from(embedding))}\n`);
  } finally {
    await llm.close();
  }
}
