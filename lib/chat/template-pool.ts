import { SensoriumError } from '../errors.js';
import type { ContentFormat } from './content-format.js';
import { startProcess, startThread, type TemplateHost } from './template-host.js';
import type {
  TemplateHostData,
  TemplateHostMessage,
  TemplateName,
  TemplateTask,
} from './template-messages.js';

export interface TemplatePoolOptions {
  /** Where templates run: a thread, or a process that holds what a hostile template does to its memory. */
  host: 'thread' | 'process';
  /** Time one rendering may take, which is longer where the machine has more to do than it can. */
  timeoutMs: number;
  /** Time a worker may take to start and compile. */
  startTimeoutMs: number;
  maxHeapMb: number;
  /** Characters of rendered text. */
  maxOutputLength: number;
  maxWorkers: number;
  /** Renderings that may wait. */
  maxQueued: number;
  /** Starts a new worker as soon as the last one was killed, not with the next rendering. */
  isKeptWarm: boolean;
}

const DEFAULTS: TemplatePoolOptions = {
  host: 'thread',
  timeoutMs: 5000,
  startTimeoutMs: 10_000,
  maxHeapMb: 128,
  maxOutputLength: 16 * 1024 * 1024,
  maxWorkers: 2,
  maxQueued: 1024,
  isKeptWarm: false,
};

interface Job {
  task: TemplateTask;
  resolve: (answer: string) => void;
  reject: (error: SensoriumError) => void;
}

/** One host: starting, idle, or busy with one job. */
class TemplateWorker {
  formats: ContentFormat[] = [];
  private readonly host: TemplateHost;
  private job: Job | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isReady = false;
  private isDead = false;

  constructor(
    sources: string[],
    private readonly options: TemplatePoolOptions,
    private readonly onFree: (worker: TemplateWorker) => void,
    private readonly onDead: (worker: TemplateWorker, error: SensoriumError) => void,
  ) {
    const data: TemplateHostData = { sources, maxOutputLength: options.maxOutputLength };
    const start = options.host === 'thread' ? startThread : startProcess;
    this.host = start(data, options, {
      onMessage: (message) => this.take(message),
      onEnd: (reason) => this.die(invalidTemplate(reason)),
    });
    this.watch(options.startTimeoutMs);
  }

  get isIdle(): boolean {
    return this.isReady && this.job === undefined;
  }

  run(job: Job): void {
    this.job = job;
    this.host.holdProcess(true);
    this.watch(this.options.timeoutMs);
    this.host.send(job.task);
  }

  private watch(timeoutMs: number): void {
    // Where this thread itself was held up the answer may be here: messages are taken before `setImmediate`.
    const timer = setTimeout(() => setImmediate(() => this.timer === timer && expire()), timeoutMs);
    const expire = (): void => {
      const message = `The chat template took more than ${timeoutMs} ms.`;
      this.die(new SensoriumError('template_timeout', message));
    };
    this.timer = timer;
  }

  private unwatch(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  private take(message: TemplateHostMessage): void {
    // What a killed host had already sent comes too late.
    if (this.isDead) return;
    this.unwatch();
    if (message.kind === 'invalid') return this.die(invalidTemplate(message.message));
    if (message.kind === 'ready') {
      this.isReady = true;
      this.formats = message.formats;
    } else {
      const { job } = this;
      this.job = undefined;
      if (message.kind === 'answered') job?.resolve(message.answer);
      else job?.reject(invalidTemplate(message.message));
    }
    // An idle worker keeps no process alive.
    this.host.holdProcess(false);
    this.onFree(this);
  }

  /** Ends the host; a running job gets the error. */
  die(error: SensoriumError): void {
    this.unwatch();
    if (this.isDead) return;
    this.isDead = true;
    this.isReady = false;
    this.job?.reject(error);
    this.job = undefined;
    this.host.kill();
    this.onDead(this, error);
  }
}

const invalidTemplate = (reason: string): SensoriumError =>
  new SensoriumError('invalid_template', `The chat template failed: ${reason}.`);

/** Renders templates in hosts that can be killed: a bad template costs its request, not the process. */
export class TemplatePool {
  private readonly options: TemplatePoolOptions;
  private readonly workers = new Set<TemplateWorker>();
  private readonly queue: Job[] = [];
  private isClosed = false;

  /** `sources`: templates that every worker compiles at its start. */
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
        (worker) => resolve(worker.formats),
        (error) => reject(error),
      );
    });
  }

  /** Rejects with `invalid_template`, `template_timeout`, `queue_full`. */
  render(template: TemplateName, variables: Record<string, unknown>): Promise<string> {
    return this.enqueue({ kind: 'render', template, variables });
  }

  /** Compiles a template's text and tells what it expects of contents. Rejects as `render`. */
  async inspect(source: string): Promise<ContentFormat> {
    return (await this.enqueue({ kind: 'inspect', source })) === 'openai' ? 'openai' : 'string';
  }

  private enqueue(task: TemplateTask): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) return reject(new SensoriumError('shutting_down', 'The model was closed.'));
      if (this.queue.length >= this.options.maxQueued) {
        return reject(new SensoriumError('queue_full', 'Too many chats wait for their template.'));
      }
      this.queue.push({ task, resolve, reject });
      this.dispatch();
    });
  }

  close(): void {
    this.isClosed = true;
    const error = new SensoriumError('shutting_down', 'The model was closed.');
    for (const job of this.queue.splice(0)) job.reject(error);
    for (const worker of this.workers) worker.die(error);
  }

  private spawn(
    onReady?: (worker: TemplateWorker) => void,
    onFailed?: (error: SensoriumError) => void,
  ): void {
    let isStarting = true;
    const onFree = (worker: TemplateWorker): void => {
      if (isStarting) onReady?.(worker);
      isStarting = false;
      this.dispatch();
    };
    const onDead = (worker: TemplateWorker, error: SensoriumError): void => {
      this.workers.delete(worker);
      if (isStarting) onFailed?.(error);
      // A worker that cannot start will not start for the next job either.
      if (isStarting && this.workers.size === 0) for (const job of this.queue.splice(0)) job.reject(error);
      const isWanted = !isStarting && this.options.isKeptWarm && this.workers.size === 0;
      isStarting = false;
      this.dispatch();
      if (isWanted && !this.isClosed && this.workers.size === 0) this.spawn();
    };
    this.workers.add(new TemplateWorker(this.sources, this.options, onFree, onDead));
  }

  private dispatch(): void {
    for (const worker of this.workers) {
      if (!worker.isIdle) continue;
      const job = this.queue.shift();
      if (job === undefined) return;
      worker.run(job);
    }
    if (this.queue.length > 0 && !this.isClosed && this.workers.size < this.options.maxWorkers) this.spawn();
  }
}
