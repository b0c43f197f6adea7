interface Node {
  next: Map<number, Node>;
  isEnd: boolean;
}

const newNode = (): Node => ({ next: new Map(), isEnd: false });

/** A set of spellings, searched by UTF-16 unit: leftmost, then longest. */
export class SpellingTrie {
  private readonly root = newNode();
  /** Finds the next UTF-16 unit that begins a spelling. */
  private readonly firstUnits: RegExp;

  constructor(spellings: Iterable<string>) {
    for (const spelling of spellings) this.add(spelling);
    const escape = (unit: number): string => `\\u${unit.toString(16).padStart(4, '0')}`;
    this.firstUnits = new RegExp(`[${[...this.root.next.keys()].map(escape).join('')}]`, 'g');
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

  /** Where a spelling might stand at the earliest, from `start` on; the text's length when nowhere. */
  nextStart(text: string, start: number): number {
    if (this.root.next.size === 0) return text.length;
    this.firstUnits.lastIndex = start;
    return this.firstUnits.exec(text)?.index ?? text.length;
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
    for (let i = this.nextStart(text, 0); i < text.length;) {
      const { length } = this.matchAt(text, i);
      if (length === 0) {
        i = this.nextStart(text, i + 1);
        continue;
      }
      if (i > plainStart) pieces.push({ text: text.slice(plainStart, i), isSpelling: false });
      pieces.push({ text: text.slice(i, i + length), isSpelling: true });
      plainStart = i + length;
      i = this.nextStart(text, plainStart);
    }
    if (plainStart < text.length) pieces.push({ text: text.slice(plainStart), isSpelling: false });
    return pieces;
  }
}
