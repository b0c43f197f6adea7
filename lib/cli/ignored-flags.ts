import { InvalidArgumentError, Option, type Command } from 'commander';

/** Flags of vLLM's that are about other machines or other engines: scripts that set them still mean the same here. */
const WITH_VALUE = [
  'gpu-memory-utilization',
  'swap-space',
  'block-size',
  'kv-cache-dtype',
  'seed',
  'distributed-executor-backend',
  'max-log-len',
  'uvicorn-log-level',
  'api-server-count',
  'renderer-num-workers',
  'compilation-config',
  'attention-backend',
  'mm-encoder-attn-backend',
  'mm-encoder-tp-mode',
  'mm-processor-cache-type',
  'max-parallel-loading-workers',
];

const SWITCHES = [
  'enforce-eager',
  'enable-chunked-prefill',
  'no-enable-chunked-prefill',
  'async-scheduling',
  'no-async-scheduling',
  'enable-log-requests',
  'disable-log-requests',
  'disable-log-stats',
  'disable-uvicorn-access-log',
  'disable-frontend-multiprocessing',
  'disable-fastapi-docs',
  'disable-custom-all-reduce',
  'skip-mm-profiling',
];

/** Only these values mean what this engine does. */
const WITH_CHOICES: Record<string, string[]> = {
  'load-format': ['auto', 'safetensors'],
  'tokenizer-mode': ['auto'],
  task: ['auto', 'generate'],
};

const PARALLEL_SIZES = ['tensor-parallel-size', 'pipeline-parallel-size', 'data-parallel-size'];

function one(text: string): string {
  if (text.trim() === '1') return text;
  throw new InvalidArgumentError('This engine runs a model in one process; only 1 is accepted.');
}

function ignoredOptions(): Option[] {
  const option = (flags: string): Option => new Option(flags, 'accepted, without effect').hideHelp();
  return [
    ...WITH_VALUE.map((name) => option(`--${name} <value>`)),
    ...SWITCHES.map((name) => option(`--${name}`)),
    ...Object.entries(WITH_CHOICES).map(([name, choices]) => option(`--${name} <value>`).choices(choices)),
    ...PARALLEL_SIZES.map((name) => option(`--${name} <n>`).argParser(one)),
  ];
}

/** Accepts what has no effect here. Values that would change what runs are refused. */
export function addIgnoredOptions(command: Command): void {
  for (const option of ignoredOptions()) command.addOption(option);
}

/** The ignored flags that were given, as they are written. */
export function ignoredFlagsOf(command: Command): string[] {
  const isGiven = (option: Option): boolean => command.getOptionValueSource(option.attributeName()) === 'cli';
  return ignoredOptions()
    .filter(isGiven)
    .map(({ long }) => long as string);
}
