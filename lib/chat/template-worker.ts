/** Worker thread: compiles the templates once and renders on request. Killed from outside when it takes too long. */
import { parentPort, workerData } from 'node:worker_threads';
import { startTemplateJobs } from './template-jobs.js';
import type { TemplateHostData, TemplateTask } from './template-messages.js';

const run = startTemplateJobs(workerData as TemplateHostData, (message) => parentPort?.postMessage(message));
if (run !== undefined) parentPort?.on('message', (task: TemplateTask) => run(task));
