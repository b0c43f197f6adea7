/** Texts between a running transcription and its one reader; texts that wait are joined. */
export class TextQueue {
  private waiting = '';
  private isEnded = false;
  private wake: (() => void) | undefined;

  push(text: string): void {
    this.waiting += text;
    this.notify();
  }

  end(): void {
    this.isEnded = true;
    this.notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, void> {
    for (;;) {
      if (this.waiting !== '') {
        const text = this.waiting;
        this.waiting = '';
        yield text;
      } else if (this.isEnded) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  private notify(): void {
    this.wake?.();
    this.wake = undefined;
  }
}
