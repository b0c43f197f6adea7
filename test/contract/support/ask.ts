import assert from 'node:assert/strict';
import type { Modality } from '../../../lib/media/types.js';

export interface Part {
  type?: string;
  uuid?: string;
  [payload: string]: unknown;
}

export interface AskOptions {
  url: string;
  key?: string;
  /** More fields of the body. */
  fields?: object;
  question?: string;
}

export interface Answer {
  status: number;
  headers: Headers;
  text?: string;
  usage: any;
  error: any;
}

/** A part as vLLM's clients write it; without a URL only its uuid is sent. */
export function part(modality: Modality, url: string | null, uuid?: string): Part {
  const payload = url === null ? null : { url };
  return {
    type: `${modality}_url`,
    [`${modality}_url`]: payload,
    ...(uuid !== undefined && { uuid }),
  };
}

/** One greedy question about `parts`, over plain HTTP. */
export async function ask(parts: Part[], { url, key, fields, question }: AskOptions): Promise<Answer> {
  const content = [...parts, { type: 'text', text: question ?? 'Describe this image.' }];
  const body = { messages: [{ role: 'user', content }], temperature: 0, max_tokens: 24, ...fields };
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(key !== undefined && { authorization: `Bearer ${key}` }),
    },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as any;
  const { status, headers } = response;
  return {
    status,
    headers,
    text: answer.choices?.[0].message.content,
    usage: answer.usage,
    error: answer.error,
  };
}

/** As `ask`, for questions that must succeed. */
export async function mustAsk(parts: Part[], options: AskOptions): Promise<Answer & { text: string }> {
  const answer = await ask(parts, options);
  assert.equal(answer.status, 200, JSON.stringify(answer.error));
  return answer as Answer & { text: string };
}

/** The value of one line of /metrics. */
export async function metric(line: string, { url, key }: AskOptions): Promise<number> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const text = await (await fetch(`${url}/metrics`, { headers })).text();
  const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
  assert.ok(found !== undefined, `there is no metric ${line}`);
  return Number(found.slice(line.length + 1));
}
