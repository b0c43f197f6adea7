/** Runs at most `maxConcurrent` tasks at a time, in order of arrival. */
export class Limiter {
  private numRunning = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly maxConcurrent: number) {}

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.numRunning >= this.maxConcurrent)
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.numRunning++;
    try {
      return await task();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.numRunning--;
    }
  }
}
