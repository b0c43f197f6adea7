import { Worker } from 'node:worker_threads';
import { SensoriumError } from '../errors.js';
import type { ContentFormat } from './content-format.js';
import type { RenderTask, TemplateWorkerData, TemplateWorkerMessage } from './template-messages.js';

export interface TemplatePoolOptions {
  /** Time one rendering may take. */
  timeoutMs: number;
  /** Time a worker may take to start and compile. */
  startTimeoutMs: number;
  maxHeapMb: number;
  /** Characters of rendered text. */
  maxOutputLength: number;
  maxWorkers: number;
  /** Renderings that may wait. */
  maxQueued: number;
}

const DEFAULTS: TemplatePoolOptions = {
  timeoutMs: 1000,
  startTimeoutMs: 10_000,
  maxHeapMb: 128,
  maxOutputLength: 16 * 1024 * 1024,
  maxWorkers: 2,
  maxQueued: 1024,
};

interface Job {
  task: RenderTask;
  resolve: (text: string) => void;
  reject: (error: SensoriumError) => void;
}

/** One worker thread: starting, idle, or busy with one job. */
class TemplateThread {
  formats: ContentFormat[] = [];
  private readonly worker: Worker;
  private job: Job | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isReady = false;
  private startError: SensoriumError | undefined;

  constructor(
    sources: string[],
    private readonly options: TemplatePoolOptions,
    private readonly onFree: (thread: TemplateThread) => void,
    private readonly onDead: (thread: TemplateThread, error: SensoriumError) => void,
  ) {
    const workerData: TemplateWorkerData = { sources, maxOutputLength: options.maxOutputLength };
    this.worker = new Worker(new URL('./template-worker.js', import.meta.url), {
      workerData,
      env: {},
      resourceLimits: {
        maxOldGenerationSizeMb: options.maxHeapMb,
        maxYoungGenerationSizeMb: 16,
        stackSizeMb: 4,
      },
    });
    this.worker.on('message', (message: TemplateWorkerMessage) => this.take(message));
    this.worker.on('error', (error: Error) => this.die(describeCrash(error)));
    this.worker.on('exit', () => this.die(invalidTemplate('its worker ended unexpectedly')));
    this.watch(options.startTimeoutMs);
  }

  get isIdle(): boolean {
    return this.isReady && this.job === undefined;
  }

  run(job: Job): void {
    this.job = job;
    this.worker.ref();
    this.watch(this.options.timeoutMs);
    this.worker.postMessage(job.task);
  }

  private watch(timeoutMs: number): void {
    this.timer = setTimeout(() => {
      const message = `The chat template took more than ${timeoutMs} ms.`;
      this.die(new SensoriumError('template_timeout', message));
    }, timeoutMs);
  }

  private take(message: TemplateWorkerMessage): void {
    clearTimeout(this.timer);
    if (message.kind === 'invalid') return this.die(invalidTemplate(message.message));
    if (message.kind === 'ready') {
      this.isReady = true;
      this.formats = message.formats;
    } else {
      const { job } = this;
      this.job = undefined;
      if (message.kind === 'rendered') job?.resolve(message.text);
      else job?.reject(invalidTemplate(message.message));
    }
    // An idle worker keeps no process alive.
    this.worker.unref();
    this.onFree(this);
  }

  /** Ends the thread; a running job gets the error. */
  die(error: SensoriumError): void {
    clearTimeout(this.timer);
    if (this.startError !== undefined) return;
    this.startError = error;
    this.isReady = false;
    this.job?.reject(error);
    this.job = undefined;
    void this.worker.terminate();
    this.onDead(this, error);
  }
}

const invalidTemplate = (reason: string): SensoriumError =>
  new SensoriumError('invalid_template', `The chat template failed: ${reason}.`);

function describeCrash(error: Error): SensoriumError {
  const isOutOfMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return invalidTemplate(isOutOfMemory ? 'it used too much memory' : error.message);
}

/** Renders templates in worker threads that can be killed: a bad template costs its request, not the process. */
export class TemplatePool {
  private readonly options: TemplatePoolOptions;
  private readonly threads = new Set<TemplateThread>();
  private readonly queue: Job[] = [];
  private isClosed = false;

  constructor(
    private readonly sources: string[],
    options: Partial<TemplatePoolOptions> = {},
  ) {
    this.options = { ...DEFAULTS, ...options };
  }

  /** Starts a first worker; resolves with the templates' content formats, rejects with `invalid_template`. */
  start(): Promise<ContentFormat[]> {
    return new Promise((resolve, reject) => {
      this.spawn(
        (thread) => resolve(thread.formats),
        (error) => reject(error),
      );
    });
  }

  render(templateIndex: number, variables: Record<string, unknown>): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) return reject(new SensoriumError('shutting_down', 'The model was closed.'));
      if (this.queue.length >= this.options.maxQueued) {
        return reject(new SensoriumError('queue_full', 'Too many chats wait for their template.'));
      }
      this.queue.push({ task: { templateIndex, variables }, resolve, reject });
      this.dispatch();
    });
  }

  close(): void {
    this.isClosed = true;
    const error = new SensoriumError('shutting_down', 'The model was closed.');
    for (const job of this.queue.splice(0)) job.reject(error);
    for (const thread of this.threads) thread.die(error);
  }

  private spawn(
    onReady?: (thread: TemplateThread) => void,
    onFailed?: (error: SensoriumError) => void,
  ): void {
    let isStarting = true;
    const onFree = (thread: TemplateThread): void => {
      if (isStarting) onReady?.(thread);
      isStarting = false;
      this.dispatch();
    };
    const onDead = (thread: TemplateThread, error: SensoriumError): void => {
      this.threads.delete(thread);
      if (isStarting) onFailed?.(error);
      // A worker that cannot start will not start for the next job either.
      if (isStarting && this.threads.size === 0) for (const job of this.queue.splice(0)) job.reject(error);
      isStarting = false;
      this.dispatch();
    };
    this.threads.add(new TemplateThread(this.sources, this.options, onFree, onDead));
  }

  private dispatch(): void {
    for (const thread of this.threads) {
      if (!thread.isIdle) continue;
      const job = this.queue.shift();
      if (job === undefined) return;
      thread.run(job);
    }
    if (this.queue.length > 0 && !this.isClosed && this.threads.size < this.options.maxWorkers) this.spawn();
  }
}
