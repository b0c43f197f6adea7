import { existsSync, statSync } from 'node:fs';
import { Option, type Command } from 'commander';
import { unusedVariables } from '../llm/environment.js';
import { collectRarely, giveWayToAnswers, returnFreedMemory } from '../llm/process-wide.js';
import { createLogger } from '../server/log.js';
import { serve } from '../server/serve.js';
import { addIgnoredOptions, ignoredFlagsOf } from './ignored-flags.js';
import { loadModel } from './load.js';
import {
  addEngineOptions,
  addMediaOptions,
  toLLMOptions,
  type EngineFlags,
  type MediaFlags,
} from './options.js';
import * as values from './values.js';

interface ServeFlags extends EngineFlags, MediaFlags {
  host: string;
  port: number;
  uds?: string;
  apiKey?: string[];
  servedModelName?: string[];
  trustRequestChatTemplate?: boolean;
  maxBodyMb: number;
  maxNumQueued?: number;
  shutdownGrace: number;
  logLevel: string;
}

const HELP = `
Routes: /v1/chat/completions, /v1/completions, /v1/models, /tokenize, /detokenize, /health, /version, /metrics.

Examples:
  $ sensorium serve                                   the embedded demo model on http://127.0.0.1:8000
  $ sensorium serve ./Qwen2.5-VL-3B-Instruct --api-key "$KEY" --host 0.0.0.0
  $ sensorium serve ./model --limit-mm-per-prompt '{"image":4}' --allowed-media-domains images.example.com

Environment: SENSORIUM_API_KEY adds a key; SENSORIUM_IMAGE_FETCH_TIMEOUT and its like set media limits (see docs/reference.md).
Every variable may also be spelled VLLM_... Flags of vLLM's that are about other hardware are accepted without effect.`;

export function addServeCommand(program: Command): void {
  const command = program
    .command('serve')
    .description('serve a checkpoint over an OpenAI-compatible HTTP API')
    .argument(
      '[model]',
      "folder of a checkpoint in the Hub's layout, or a model's name on the Hub; default: the embedded demo model",
    );
  command.optionsGroup('Server:');
  command
    .option('--port <n>', 'port; 0 takes a free one', values.wholeNumber(0, 65535), 8000)
    .option('--host <address>', 'address; 0.0.0.0 opens the server to the network', '127.0.0.1')
    .option('--uds <path>', 'Unix socket instead of host and port')
    .option('--api-key <key...>', 'asked for on every route but /health; each is a tenant', values.append)
    .option(
      '--served-model-name <name...>',
      "model ids that clients may send, the first is told; default: the folder's name",
      values.append,
    )
    .option('--trust-request-chat-template', 'takes a chat_template with each request')
    .option('--max-body-mb <MiB>', 'largest request body', values.numberFrom(0.001, 2048), 64)
    .option('--max-num-queued <n>', 'requests that may wait before new ones get 429', values.wholeNumber(1))
    .option(
      '--shutdown-grace <s>',
      'seconds running requests may take after SIGTERM',
      values.numberFrom(0, 86400),
      30,
    )
    .addOption(
      new Option('--log-level <level>', 'least important lines to log, as JSON on stderr')
        .choices(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    );
  addEngineOptions(command);
  addMediaOptions(command);
  addIgnoredOptions(command);
  command.addHelpText('after', HELP);
  command.action(runServe);
}

function keysFromEnvironment(): string[] {
  const key = process.env['SENSORIUM_API_KEY'] ?? process.env['VLLM_API_KEY'] ?? '';
  return key === '' ? [] : [key];
}

const isFolder = (path: string): boolean => existsSync(path) && statSync(path).isDirectory();

/** A flag of several values also takes a MODEL that follows it: a folder at the end of such a list is the model. */
function takeModel(flags: ServeFlags): string | undefined {
  for (const list of [flags.apiKey, flags.servedModelName, flags.allowedMediaDomains]) {
    const last = list?.at(-1);
    if (list !== undefined && list.length > 1 && last !== undefined && isFolder(last)) return list.pop();
  }
  return undefined;
}

async function runServe(model: string | undefined, flags: ServeFlags, command: Command): Promise<void> {
  const logger = createLogger(flags.logLevel);
  const ignored = ignoredFlagsOf(command);
  if (ignored.length > 0) logger.warn(`accepted without effect: ${ignored.join(', ')}`);
  const unused = unusedVariables(process.env);
  if (unused.length > 0) logger.warn(`environment variables that are not used: ${unused.join(', ')}`);
  returnFreedMemory();
  collectRarely();
  await giveWayToAnswers();
  const llm = await loadModel({
    ...toLLMOptions(model ?? takeModel(flags), flags),
    servedModelName: flags.servedModelName,
    trustRequestChatTemplate: flags.trustRequestChatTemplate,
    maxQueued: flags.maxNumQueued,
  });
  const running = await serve(llm, {
    host: flags.host,
    port: flags.port,
    uds: flags.uds,
    apiKeys: [...(flags.apiKey ?? []), ...keysFromEnvironment()],
    maxBodyMb: flags.maxBodyMb,
    shutdownGraceMs: flags.shutdownGrace * 1000,
    logger,
  }).catch(async (error: unknown) => {
    await llm.close();
    throw error;
  });
  process.stdout.write(`listening on ${running.url}\n`);
  await untilSignal();
  await running.close();
}

/** Resolves on the first SIGTERM or SIGINT; a second one ends the process at once. */
function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = (): void => {
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        process.off(signal, onSignal);
        process.once(signal, () => process.exit(130));
      }
      resolve();
    };
    process.once('SIGTERM', onSignal).once('SIGINT', onSignal);
  });
}
