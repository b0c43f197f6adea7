import { Command } from 'commander';
import { VERSION } from '../server/version.js';
import { addChatCommand } from './chat.js';
import { addDemoCommand } from './demo.js';
import { addEmbedCommand } from './embed.js';
import { addInspectCommand } from './inspect.js';
import { addRunCommand } from './run.js';
import { addServeCommand } from './serve.js';
import { addTranscribeCommand } from './transcribe.js';

const HELP = `
Without MODEL every command uses the small model that comes with the package: nothing is downloaded.
'sensorium COMMAND --help' explains a command's flags; sizes may be fractions.`;

/** The whole command line. Errors of arguments are thrown as CommanderError. */
export function createProgram(): Command {
  const program = new Command('sensorium')
    .description('Multimodal inference: ask a Hugging Face checkpoint about text, images, videos and sounds.')
    .version(VERSION)
    .showHelpAfterError("(try '--help')")
    .exitOverride();
  program.addHelpText('after', HELP);
  addServeCommand(program);
  addChatCommand(program);
  addRunCommand(program);
  addTranscribeCommand(program);
  addEmbedCommand(program);
  addInspectCommand(program);
  addDemoCommand(program);
  return program;
}
