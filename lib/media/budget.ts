import { SensoriumError } from '../errors.js';
import { abortReason, throwIfAborted } from './failure.js';

const DEFAULT_MAX_WAIT_MS = 30_000;
const DEFAULT_MAX_WAITERS = 1024;
/** Longest time that a holder waits for more. */
const MAX_GROWTH_WAIT_MS = 1_000;

/** A share of the budget; `release` gives back what is left of it, once. */
export interface ByteLease {
  readonly numBytes: number;
  /**
   * Takes more, up to `numBytes` in all or the whole budget. Goes before those who hold nothing yet, and waits a moment
   * only: holders that wait for each other would wait for good. Throws `rate_limited`.
   */
  grow(numBytes: number, signal?: AbortSignal): Promise<void>;
  /** Gives back all but `numBytes`. */
  shrink(numBytes: number): void;
  release(): void;
}

interface Waiter {
  numBytes: number;
  admit: () => void;
}

/** Bytes that may be in use at once over all requests. First come, first served; waiting is bounded. */
export class ByteBudget {
  private used = 0;
  private readonly waiters: Waiter[] = [];

  constructor(
    readonly capacityBytes: number,
    private readonly limits: { maxWaitMs?: number; maxWaiters?: number } = {},
  ) {}

  get usedBytes(): number {
    return this.used;
  }

  /**
   * A lease of `numBytes`, capped at the whole budget. Throws `rate_limited` when it is not free in time, which is
   * `maxWaitMs` where that is shorter than the budget's own.
   */
  async acquire(numBytes: number, signal?: AbortSignal, maxWaitMs = Infinity): Promise<ByteLease> {
    throwIfAborted(signal);
    const wanted = Math.min(Math.max(0, Math.ceil(numBytes)), this.capacityBytes);
    if (this.waiters.length > 0 || this.used + wanted > this.capacityBytes)
      await this.wait(wanted, signal, maxWaitMs, 'last');
    else this.used += wanted;
    return this.createLease(wanted);
  }

  private wait(
    numBytes: number,
    signal: AbortSignal | undefined,
    maxWaitMs: number,
    place: 'first' | 'last',
  ): Promise<void> {
    if (this.waiters.length >= (this.limits.maxWaiters ?? DEFAULT_MAX_WAITERS)) throw overloaded();
    return new Promise((resolve, reject) => {
      const finish = (settle: () => void): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
        settle();
      };
      const waiter: Waiter = { numBytes, admit: () => finish(resolve) };
      const leave = (error: SensoriumError): void => {
        this.waiters.splice(this.waiters.indexOf(waiter), 1);
        finish(() => reject(error));
        this.admitWaiters();
      };
      const onAbort = (): void => leave(abortReason(signal as AbortSignal));
      const waitMs = Math.min(maxWaitMs, this.limits.maxWaitMs ?? DEFAULT_MAX_WAIT_MS);
      const timer = setTimeout(() => leave(overloaded()), waitMs);
      signal?.addEventListener('abort', onAbort, { once: true });
      if (place === 'first') this.waiters.unshift(waiter);
      else this.waiters.push(waiter);
    });
  }

  private createLease(numBytes: number): ByteLease {
    let held = numBytes;
    const shrink = (target: number): void => {
      const kept = Math.min(held, Math.max(0, Math.ceil(target)));
      this.used -= held - kept;
      held = kept;
      this.admitWaiters();
    };
    const grow = async (target: number, signal?: AbortSignal): Promise<void> => {
      const more = Math.min(Math.ceil(target), this.capacityBytes) - held;
      if (more <= 0) return;
      if (this.used + more > this.capacityBytes) await this.wait(more, signal, MAX_GROWTH_WAIT_MS, 'first');
      else this.used += more;
      held += more;
    };
    return {
      get numBytes() {
        return held;
      },
      grow,
      shrink,
      release: () => shrink(0),
    };
  }

  private admitWaiters(): void {
    for (let first = this.waiters[0]; first !== undefined; first = this.waiters[0]) {
      if (this.used + first.numBytes > this.capacityBytes) return;
      this.waiters.shift();
      this.used += first.numBytes;
      first.admit();
    }
  }
}

/** More media at once than there is room for. */
export function overloaded(): SensoriumError {
  return new SensoriumError(
    'rate_limited',
    'Too much media is being processed at the moment; try again later.',
  );
}
