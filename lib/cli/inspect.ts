import type { Command } from 'commander';
import { describeInspection } from '../inspect/describe.js';
import { inspectCheckpoint } from '../llm/inspect-checkpoint.js';

interface InspectFlags {
  json?: boolean;
  revision?: string;
  downloadDir?: string;
}

export function addInspectCommand(program: Command): void {
  program
    .command('inspect')
    .description('say what a checkpoint is, takes and needs, and what is wrong with it, without loading it')
    .argument(
      '[model]',
      "folder of a checkpoint, or a model's name on the Hub; default: the embedded demo model",
    )
    .option('--json', 'as JSON')
    .option('--revision <name>', 'branch, tag or commit on the Hub')
    .option('--download-dir <folder>', "cache of downloaded models; default: the Hub's own")
    .action(runInspect);
}

async function runInspect(model: string | undefined, flags: InspectFlags): Promise<void> {
  const inspection = await inspectCheckpoint(model, {
    revision: flags.revision,
    cacheFolder: flags.downloadDir,
  });
  const text =
    flags.json === true
      ? JSON.stringify(inspection, undefined, 2)
      : describeInspection(inspection).join('\n');
  process.stdout.write(`${text}\n`);
  if (inspection.problems.length > 0) process.exitCode = 1;
}
