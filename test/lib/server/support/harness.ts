import type { TestContext } from 'node:test';
import { serve, type RunningServer, type ServeOptions } from '../../../../lib/server/serve.js';
import { StubLLM, type StubBehaviour } from './stub-llm.js';

export interface Harness {
  llm: StubLLM;
  running: RunningServer;
  url: string;
  post(path: string, body: unknown, init?: RequestInit): Promise<Response>;
  chat(fields?: object, init?: RequestInit): Promise<Response>;
}

/** A server on a free port over a stub model; closed when the test ends. */
export async function startServer(
  context: TestContext,
  behaviour: StubBehaviour = {},
  options: ServeOptions = {},
): Promise<Harness> {
  const llm = new StubLLM(behaviour);
  const running = await serve(llm.asServerLLM(), { port: 0, shutdownGraceMs: 0, ...options });
  context.after(() => running.close());
  const post = (path: string, body: unknown, init: RequestInit = {}): Promise<Response> =>
    fetch(running.url + path, {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...init,
      headers: { 'content-type': 'application/json', ...(init.headers as Record<string, string>) },
    });
  const chat = (fields: object = {}, init?: RequestInit): Promise<Response> =>
    post('/v1/chat/completions', { messages: [{ role: 'user', content: 'hi' }], ...fields }, init);
  return { llm, running, url: running.url, post, chat };
}

export type Json = any;

export async function readJson(response: Response): Promise<Json> {
  return response.json();
}

/** The payloads of a stream of server-sent events; `[DONE]` as that string. */
export async function readEvents(response: Response): Promise<Json[]> {
  const text = await response.text();
  return text
    .split('\n\n')
    .filter((event) => event !== '')
    .map((event) => {
      const data = event.replace(/^data: /, '');
      return data === '[DONE]' ? data : JSON.parse(data);
    });
}

/** Waits until `isTrue`, for at most five seconds. */
export async function until(isTrue: () => boolean): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error('The condition did not come true.');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
