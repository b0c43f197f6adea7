// npm run bench [-- TRIAL ...] [--write]: measures the machine's limits, then each trial in its own process.
import { spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { measureLimits } from './limits.js';
import { LIMITS_PROGRAM, RESULTS_FOLDER } from './paths.js';
import { FIGURE_HEADER, figureRow, machineCard } from './report.js';
import type { Figure, TrialContext } from './trial.js';
import { TRIALS } from './trials/index.js';

async function runTrial(name: string, context: TrialContext): Promise<Figure[]> {
  const script = fileURLToPath(new URL('run-trial.js', import.meta.url));
  const child = spawn(process.execPath, [script, name], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.end(JSON.stringify(context));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const output = await text(child.stdout);
  const status = await ended;
  if (status !== 0) throw new Error(`trial '${name}' ended with status ${status}`);
  return JSON.parse(output) as Figure[];
}

const names = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const trials = TRIALS.filter(({ name }) => names.length === 0 || names.includes(name));
const workFolder = join(tmpdir(), 'sensorium-bench');
mkdirSync(workFolder, { recursive: true });
const limits = await measureLimits(LIMITS_PROGRAM);
const lines = [machineCard(limits), '', FIGURE_HEADER];
process.stdout.write(`${lines.join('\n')}\n`);
try {
  for (const { name } of trials) {
    for (const figure of await runTrial(name, { limits, workFolder })) {
      lines.push(figureRow(figure));
      process.stdout.write(`${figureRow(figure)}\n`);
    }
  }
} finally {
  rmSync(workFolder, { recursive: true, force: true });
}
if (process.argv.includes('--write')) {
  mkdirSync(RESULTS_FOLDER, { recursive: true });
  const slug = limits.cpu
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  const file = join(RESULTS_FOLDER, `${slug}-${limits.num_threads}-threads.md`);
  writeFileSync(file, `# ${limits.cpu}\n\n${lines.join('\n')}\n`);
  process.stdout.write(`written to ${file}\n`);
}
