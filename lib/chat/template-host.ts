import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { TemplateHostData, TemplateHostMessage, TemplateTask } from './template-messages.js';

/** Where templates are compiled and rendered. It can be killed at any time. */
export interface TemplateHost {
  send(task: TemplateTask): void;
  kill(): void;
  /** Whether the host keeps this process alive. */
  holdProcess(isHeld: boolean): void;
}

export interface TemplateHostEvents {
  onMessage: (message: TemplateHostMessage) => void;
  /** It ended by itself, for this reason. */
  onEnd: (reason: string) => void;
}

export interface TemplateHostLimits {
  maxHeapMb: number;
}

const OUT_OF_MEMORY = 'it used too much memory';
const NO_REASON = 'its worker ended unexpectedly';

/**
 * A thread: quick to reach, and ended by V8 when its heap grows too large step by step. One allocation far beyond the
 * limit ends the whole process: only for templates that the operator chose.
 */
export function startThread(
  data: TemplateHostData,
  { maxHeapMb }: TemplateHostLimits,
  events: TemplateHostEvents,
): TemplateHost {
  const worker = new Worker(new URL('./template-worker.js', import.meta.url), {
    workerData: data,
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: maxHeapMb, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
  });
  worker.on('message', events.onMessage);
  worker.on('error', (error: Error) => {
    const isOutOfMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    events.onEnd(isOutOfMemory ? OUT_OF_MEMORY : error.message);
  });
  worker.on('exit', () => events.onEnd(NO_REASON));
  return {
    send: (task) => worker.postMessage(task),
    kill: () => void worker.terminate(),
    holdProcess: (isHeld) => (isHeld ? worker.ref() : worker.unref()),
  };
}

/** A process: whatever a template does to its memory stays there. */
export function startProcess(
  data: TemplateHostData,
  { maxHeapMb }: TemplateHostLimits,
  events: TemplateHostEvents,
): TemplateHost {
  const path = fileURLToPath(new URL('./template-process.js', import.meta.url));
  const child = fork(path, [JSON.stringify(data)], {
    env: {},
    execArgv: [`--max-old-space-size=${maxHeapMb}`, '--max-semi-space-size=8'],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  child.on('message', (message) => events.onMessage(message as TemplateHostMessage));
  child.on('error', () => events.onEnd(NO_REASON));
  // V8 aborts a process that is out of memory.
  child.on('exit', (_code, signal) => events.onEnd(signal === null ? NO_REASON : OUT_OF_MEMORY));
  return {
    // A send that fails is followed by the end of the process.
    send: (task) => child.send(task, () => undefined),
    kill: () => void child.kill('SIGKILL'),
    holdProcess: (isHeld) => {
      const target = isHeld ? 'ref' : 'unref';
      child[target]();
      child.channel?.[target]();
    },
  };
}
