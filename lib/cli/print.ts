import type { OutputDelta, RequestResult, RunningRequest } from '../engine/types.js';

/** Text of a model without control characters that could steer the terminal. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

/** Writes the answer to stdout as it comes. */
export async function printStream(
  request: RunningRequest & AsyncIterable<OutputDelta>,
): Promise<RequestResult> {
  for await (const delta of request) process.stdout.write(printable(delta.text));
  process.stdout.write('\n');
  return request.result();
}

/** `12 tokens, 85.3 tokens/s, first after 41 ms`. */
export function describeSpeed({ usage, timings }: RequestResult): string {
  const numRest = usage.completionTokens - 1;
  const rate =
    numRest > 0 && timings.decodeMs > 0
      ? `, ${((numRest * 1000) / timings.decodeMs).toFixed(1)} tokens/s`
      : '';
  return `${usage.completionTokens} tokens${rate}, first after ${timings.timeToFirstTokenMs.toFixed(0)} ms`;
}
