// The openai client of a running server: that of BASE_URL (and API_KEY), else one started here for the example.
import OpenAI from 'openai';
import { LLM, type LLMOptions } from '../../lib/index.js';
import { serve } from '../../lib/server/index.js';

export interface Connection {
  client: OpenAI;
  /** The model that the server has. */
  model: string;
  close: () => Promise<void>;
}

/** `options`: what `sensorium serve` would be started with; a server of BASE_URL has its own. */
export async function connect(options: LLMOptions = {}): Promise<Connection> {
  const { BASE_URL, API_KEY = 'EMPTY' } = process.env;
  const server = BASE_URL === undefined ? await serve(await LLM.load(options), { port: 0 }) : undefined;
  const client = new OpenAI({ apiKey: API_KEY, baseURL: BASE_URL ?? `${server?.url}/v1` });
  const { data } = await client.models.list();
  return { client, model: data[0]!.id, close: async () => server?.close() };
}

/** Content parts, with the types and keys that go beyond what the client's own types know. */
export const content = (...parts: object[]): OpenAI.ChatCompletionContentPart[] =>
  parts as OpenAI.ChatCompletionContentPart[];
