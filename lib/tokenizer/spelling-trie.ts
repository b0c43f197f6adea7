interface Node {
  next: Map<number, Node>;
  isEnd: boolean;
}

const newNode = (): Node => ({ next: new Map(), isEnd: false });

/** A set of spellings, searched by UTF-16 unit: leftmost, then longest. */
export class SpellingTrie {
  private readonly root = newNode();

  constructor(spellings: Iterable<string>) {
    for (const spelling of spellings) this.add(spelling);
  }

  private add(spelling: string): void {
    let node = this.root;
    for (let i = 0; i < spelling.length; i++) {
      const unit = spelling.charCodeAt(i);
      let next = node.next.get(unit);
      if (next === undefined) node.next.set(unit, (next = newNode()));
      node = next;
    }
    if (node !== this.root) node.isEnd = true;
  }

  /** Whether any spelling begins with this UTF-16 unit. */
  canStartWith(unit: number): boolean {
    return this.root.next.has(unit);
  }

  /**
   * Length of the longest spelling that stands at `start`, 0 for none; `reachesEnd` tells that the text
   * ended while a longer one was still possible.
   */
  matchAt(text: string, start: number): { length: number; reachesEnd: boolean } {
    let node: Node | undefined = this.root;
    let length = 0;
    for (let i = start; i < text.length; i++) {
      node = node.next.get(text.charCodeAt(i));
      if (node === undefined) return { length, reachesEnd: false };
      if (node.isEnd) length = i + 1 - start;
    }
    return { length, reachesEnd: node.next.size > 0 };
  }

  /** Cuts a text at its spellings. Plain stretches are never empty. */
  split(text: string): { text: string; isSpelling: boolean }[] {
    const pieces: { text: string; isSpelling: boolean }[] = [];
    let plainStart = 0;
    for (let i = 0; i < text.length;) {
      const { length } = this.canStartWith(text.charCodeAt(i)) ? this.matchAt(text, i) : { length: 0 };
      if (length === 0) {
        i++;
        continue;
      }
      if (i > plainStart) pieces.push({ text: text.slice(plainStart, i), isSpelling: false });
      pieces.push({ text: text.slice(i, i + length), isSpelling: true });
      i += length;
      plainStart = i;
    }
    if (plainStart < text.length) pieces.push({ text: text.slice(plainStart), isSpelling: false });
    return pieces;
  }
}
