/** Worker thread: compiles the templates once and renders on request. Killed from outside when it takes too long. */
import { Template } from '@huggingface/jinja';
import { parentPort, workerData } from 'node:worker_threads';
import { detectContentFormat } from './content-format.js';
import type { RenderTask, TemplateWorkerData, TemplateWorkerMessage } from './template-messages.js';

const { sources, maxOutputLength } = workerData as TemplateWorkerData;

function send(message: TemplateWorkerMessage): void {
  parentPort?.postMessage(message);
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 500);

function render(templates: readonly Template[], task: RenderTask): TemplateWorkerMessage {
  try {
    const text = templates[task.templateIndex]?.render(task.variables) ?? '';
    if (text.length <= maxOutputLength) return { kind: 'rendered', text };
    return { kind: 'failed', message: `it gave more than ${maxOutputLength} characters` };
  } catch (error) {
    return { kind: 'failed', message: reasonOf(error) };
  }
}

function start(): void {
  try {
    const templates = sources.map((source) => new Template(source));
    parentPort?.on('message', (task: RenderTask) => send(render(templates, task)));
    send({ kind: 'ready', formats: sources.map(detectContentFormat) });
  } catch (error) {
    send({ kind: 'invalid', message: reasonOf(error) });
  }
}

start();
