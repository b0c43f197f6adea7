/** Process of its own: does what the worker thread does, for templates that may exhaust its memory. Ends with its parent. */
import { Worker } from 'node:worker_threads';
import { startTemplateJobs } from './template-jobs.js';
import type { TemplateHostData, TemplateTask } from './template-messages.js';

const data = JSON.parse(process.argv[2] ?? '{}') as TemplateHostData;
const run = startTemplateJobs(data, (message) => process.send?.(message));
process.on('message', (task: TemplateTask) => run?.(task));
process.on('disconnect', () => process.exit());
new Worker(new URL('./template-watchdog.js', import.meta.url), { stdout: true, stderr: true }).unref();
