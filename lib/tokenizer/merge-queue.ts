/** Positions of a word by the rank of the merge that begins there, lowest rank first, then leftmost. */
export class MergeQueue {
  private readonly keys: number[] = [];

  push(rank: number, position: number): void {
    const { keys } = this;
    const key = rank * 2 ** 32 + position;
    let at = keys.push(key) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = keys[parent] as number;
      if (above <= key) break;
      keys[at] = above;
      at = parent;
    }
    keys[at] = key;
  }

  /** Undefined: it is empty. */
  pop(): { rank: number; position: number } | undefined {
    const first = this.keys[0];
    const last = this.keys.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.keys.length > 0) this.sink(last);
    return { rank: Math.floor(first / 2 ** 32), position: first % 2 ** 32 };
  }

  /** Puts a key in the place of the first one. */
  private sink(key: number): void {
    const { keys } = this;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= keys.length) break;
      if (child + 1 < keys.length && (keys[child + 1] as number) < (keys[child] as number)) child++;
      const below = keys[child] as number;
      if (below >= key) break;
      keys[at] = below;
      at = child;
    }
    keys[at] = key;
  }
}
