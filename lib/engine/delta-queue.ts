import type { OutputDelta } from './types.js';

/** Deltas that wait before they are joined: enough for a consumer that is only a little late. */
const MAX_SEPARATE = 256;

function join(into: OutputDelta, delta: OutputDelta): void {
  into.text += delta.text;
  for (const id of delta.tokenIds) into.tokenIds.push(id);
  if (delta.logprobs !== undefined) (into.logprobs ??= []).push(...delta.logprobs);
  if (delta.finishReason === undefined) return;
  into.finishReason = delta.finishReason;
  into.stopReason = delta.stopReason;
}

type Next = IteratorResult<OutputDelta, undefined>;

/**
 * Deltas between the engine and one consumer. One by one while the consumer keeps up; behind a slow one the newest
 * of each continuation are joined, so that at most MAX_SEPARATE + n objects wait.
 */
export class DeltaQueue {
  private deltas: OutputDelta[] = [];
  private head = 0;
  private isEnded = false;
  private error: Error | undefined;
  /** Consumers that came before their delta, first come first served. */
  private readonly waiting: { resolve: (next: Next) => void; reject: (error: Error) => void }[] = [];

  push(delta: OutputDelta): void {
    const consumer = this.waiting.shift();
    if (consumer !== undefined) {
      consumer.resolve({ done: false, value: delta });
      return;
    }
    const isCrowded = this.deltas.length - this.head >= MAX_SEPARATE;
    const last = isCrowded ? this.lastOf(delta.index) : undefined;
    if (last === undefined) this.deltas.push(delta);
    else join(last, delta);
  }

  private lastOf(index: number): OutputDelta | undefined {
    for (let i = this.deltas.length - 1; i >= this.head + MAX_SEPARATE - 1; i--) {
      if (this.deltas[i]?.index === index) return this.deltas[i];
    }
    return undefined;
  }

  end(error?: Error): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.error = error;
    for (const { resolve, reject } of this.waiting.splice(0)) {
      if (error === undefined) resolve({ done: true, value: undefined });
      else reject(error);
    }
  }

  /** The next delta, or the end. Rejects with the error that ended the queue, after what came before it. */
  next(): Promise<Next> {
    const delta = this.take();
    if (delta !== undefined) return Promise.resolve({ done: false, value: delta });
    if (this.error !== undefined) return Promise.reject(this.error);
    if (this.isEnded) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  private take(): OutputDelta | undefined {
    const delta = this.deltas[this.head];
    if (delta === undefined) return undefined;
    this.head++;
    if (this.head >= MAX_SEPARATE || this.head === this.deltas.length) {
      this.deltas = this.deltas.slice(this.head);
      this.head = 0;
    }
    return delta;
  }
}
