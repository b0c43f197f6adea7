import type { KeyedItem, ProcessedItem } from '../processors/types.js';
import { abortReason, throwIfAborted } from './failure.js';
import { disposeItem, ItemHolds } from './item-holds.js';

export interface ProcessedItemCacheStats {
  queries: number;
  hits: number;
  evictions: number;
  numItems: number;
  bytes: number;
}

interface Computation {
  promise: Promise<KeyedItem>;
  controller: AbortController;
  numWaiters: number;
  /** Once it is made, held for those who wait. */
  item?: KeyedItem | undefined;
}

/**
 * Processed items by key, least recently used out first, at most `maxBytes`. 0 keeps nothing.
 * Every item that it hands out is held for the caller until `release`; then, where it is not kept, its memory is given back at once.
 */
export class ProcessedItemCache {
  private readonly items = new Map<string, KeyedItem>();
  private readonly computations = new Map<string, Computation>();
  private readonly holds = new ItemHolds();
  private bytes = 0;
  private readonly counters = { queries: 0, hits: 0, evictions: 0 };

  constructor(readonly maxBytes: number) {}

  stats(): ProcessedItemCacheStats {
    return { ...this.counters, numItems: this.items.size, bytes: this.bytes };
  }

  /** The item of `key`, now the most recently used; counted as a query. */
  get(key: string): KeyedItem | undefined {
    this.counters.queries++;
    const item = this.items.get(key);
    if (item === undefined) return undefined;
    this.counters.hits++;
    this.items.delete(key);
    this.items.set(key, item);
    return this.holds.take(item);
  }

  /** Ends a caller's hold of an item. */
  release(item: KeyedItem): void {
    this.holds.release(item);
  }

  /**
   * The item of `key`, made by `compute` where it is not there. Callers that ask for one key at the same time share one
   * computation; it is cancelled only when all of them have left.
   */
  async getOrCompute(
    key: string,
    signal: AbortSignal | undefined,
    compute: (signal: AbortSignal) => Promise<ProcessedItem>,
  ): Promise<KeyedItem> {
    throwIfAborted(signal);
    const cached = this.get(key);
    if (cached !== undefined) return cached;
    const running = this.computations.get(key);
    if (running !== undefined) return await this.join(key, running, signal);
    return await this.waitFor(key, this.start(key, compute), signal);
  }

  /** The item of `key`, cached or being computed; undefined where there is none, or its computation fails. */
  async find(key: string, signal: AbortSignal | undefined): Promise<KeyedItem | undefined> {
    throwIfAborted(signal);
    const cached = this.get(key);
    const running = this.computations.get(key);
    if (cached !== undefined || running === undefined) return cached;
    try {
      return await this.join(key, running, signal);
    } catch {
      throwIfAborted(signal);
      return undefined;
    }
  }

  /** Waits for what another caller computes: a hit once it is there. */
  private async join(key: string, running: Computation, signal: AbortSignal | undefined): Promise<KeyedItem> {
    const item = await this.waitFor(key, running, signal);
    this.counters.hits++;
    return item;
  }

  private async waitFor(
    key: string,
    computation: Computation,
    signal: AbortSignal | undefined,
  ): Promise<KeyedItem> {
    computation.numWaiters++;
    try {
      return this.holds.take(await untilAborted(computation.promise, signal));
    } finally {
      computation.numWaiters--;
      if (computation.numWaiters === 0) this.leave(key, computation);
    }
  }

  clear(): void {
    for (const item of this.items.values()) this.holds.release(item);
    this.items.clear();
    this.bytes = 0;
  }

  private start(key: string, compute: (signal: AbortSignal) => Promise<ProcessedItem>): Computation {
    const controller = new AbortController();
    const end = (): void => {
      if (this.computations.get(key) === computation) this.computations.delete(key);
    };
    const promise = compute(controller.signal).then(
      (item) => {
        end();
        return this.settle(key, computation, item);
      },
      (error: unknown) => {
        end();
        throw error;
      },
    );
    const computation: Computation = { promise, controller, numWaiters: 0 };
    this.computations.set(key, computation);
    return computation;
  }

  private settle(key: string, computation: Computation, made: ProcessedItem): KeyedItem {
    const item = this.holds.take(this.store(key, made));
    if (computation.numWaiters === 0) this.holds.release(item);
    else computation.item = item;
    return item;
  }

  /** The last one who waited has gone: work that goes on ends, and what was made is nobody's. */
  private leave(key: string, computation: Computation): void {
    if (computation.item !== undefined) this.holds.release(computation.item);
    computation.item = undefined;
    if (this.computations.get(key) !== computation) return;
    this.computations.delete(key);
    computation.controller.abort();
  }

  /** The item, kept where there is room; the one that is kept already where its key was computed twice. */
  private store(key: string, made: ProcessedItem): KeyedItem {
    const kept = this.items.get(key);
    if (kept !== undefined) {
      disposeItem(made);
      return kept;
    }
    const item: KeyedItem = { ...made, key };
    if (item.sizeBytes <= this.maxBytes) this.keep(item);
    return item;
  }

  private keep(item: KeyedItem): void {
    this.items.set(item.key, this.holds.take(item));
    this.bytes += item.sizeBytes;
    for (const [oldKey, old] of this.items) {
      if (this.bytes <= this.maxBytes) break;
      this.items.delete(oldKey);
      this.bytes -= old.sizeBytes;
      this.counters.evictions++;
      this.holds.release(old);
    }
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortReason(signal));
    signal.addEventListener('abort', onAbort, { once: true });
    const done = (): void => signal.removeEventListener('abort', onAbort);
    promise.then(resolve, reject).finally(done);
  });
}
