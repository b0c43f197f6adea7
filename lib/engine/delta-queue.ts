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

/**
 * Deltas between the engine and one consumer. One by one while the consumer keeps up; behind a slow one the newest
 * of each continuation are joined, so that at most MAX_SEPARATE + n objects wait.
 */
export class DeltaQueue {
  private deltas: OutputDelta[] = [];
  private head = 0;
  private isEnded = false;
  private error: Error | undefined;
  private wake: (() => void) | undefined;

  push(delta: OutputDelta): void {
    const isCrowded = this.deltas.length - this.head >= MAX_SEPARATE;
    const last = isCrowded ? this.lastOf(delta.index) : undefined;
    if (last === undefined) this.deltas.push(delta);
    else join(last, delta);
    this.notify();
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
    this.notify();
  }

  /** The next delta; undefined at the end. Rejects with the error that ended the queue, after what came before it. */
  async next(): Promise<OutputDelta | undefined> {
    while (this.head === this.deltas.length && !this.isEnded) {
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
    const delta = this.deltas[this.head];
    if (delta === undefined) {
      if (this.error !== undefined) throw this.error;
      return undefined;
    }
    this.head++;
    if (this.head >= MAX_SEPARATE || this.head === this.deltas.length) {
      this.deltas = this.deltas.slice(this.head);
      this.head = 0;
    }
    return delta;
  }

  private notify(): void {
    this.wake?.();
    this.wake = undefined;
  }
}
