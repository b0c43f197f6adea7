import type { OutputDelta, RequestResult, RunningRequest } from '../engine/types.js';

/** A running request of which only the prompt is of interest: its answers are empty, and cut short as asked. */
export class PromptOnlyRequest implements RunningRequest {
  constructor(private readonly request: RunningRequest) {}

  get requestId(): string {
    return this.request.requestId;
  }

  get promptTokenIds(): number[] {
    return this.request.promptTokenIds;
  }

  async result(): Promise<RequestResult> {
    const { outputs, usage, ...rest } = await this.request.result();
    return {
      ...rest,
      outputs: outputs.map(({ index }) => ({
        index,
        text: '',
        tokenIds: [],
        finishReason: 'length',
        stopReason: null,
      })),
      usage: { ...usage, completionTokens: 0, totalTokens: usage.promptTokens },
    };
  }

  abort(): void {
    this.request.abort();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<OutputDelta> {
    const { outputs } = await this.result();
    for (const { index, finishReason } of outputs)
      yield { index, text: '', tokenIds: [], finishReason, stopReason: null };
  }
}
