import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch as undiciFetch } from 'undici';
import { SensoriumError } from '../errors.js';
import type { HubOptions } from './types.js';

const PUBLIC_HUB = 'https://huggingface.co';
const CONNECT_TIMEOUT_MS = 10_000;
/** Default longest silence, before headers and between pieces of a body. */
const STALL_TIMEOUT_MS = 30_000;

/** The Hub as one download talks to it. */
export interface HubConnection {
  endpoint: string;
  agent: Agent;
  fetch: typeof globalThis.fetch;
  /** Throws unless `url` is of a scheme that may follow the endpoint's. */
  checkScheme(url: URL): void;
  /** With the token, where `url` is the Hub's own. */
  headersFor(url: URL): Record<string, string>;
  refusal(status: number): SensoriumError;
}

async function findToken(options: HubOptions): Promise<string | undefined> {
  const given = options.token ?? process.env['HF_TOKEN'] ?? process.env['HUGGING_FACE_HUB_TOKEN'];
  if (given !== undefined && given !== '') return given;
  const home =
    process.env['HF_HOME'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'huggingface');
  const path = process.env['HF_TOKEN_PATH'] ?? join(home, 'token');
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
}

function readEndpoint(options: HubOptions): URL {
  const text = options.endpoint ?? process.env['HF_ENDPOINT'] ?? PUBLIC_HUB;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.protocol === 'https:' || url.protocol === 'http:')) return url;
  throw new SensoriumError('invalid_option', `The Hub's address '${text.slice(0, 100)}' is no http(s) URL.`, {
    param: 'HF_ENDPOINT',
  });
}

/** What an answer of the Hub means for the program's user. */
export function refusal(repository: string, revision: string, status: number): SensoriumError {
  const name = `'${repository}' (revision '${revision}')`;
  if (status === 401 || status === 403) {
    return new SensoriumError(
      'hub_access_refused',
      `The Hub does not give out ${name}: it may be private, gated or misspelled. Accept its terms and set HF_TOKEN.`,
      { param: 'model' },
    );
  }
  if (status === 404)
    return new SensoriumError('model_not_found', `The Hub has no model ${name}.`, { param: 'model' });
  return new SensoriumError('download_failed', `The Hub answered ${status} when asked for ${name}.`, {
    param: 'model',
  });
}

export async function openConnection(
  repository: string,
  revision: string,
  options: HubOptions,
): Promise<HubConnection> {
  const endpoint = readEndpoint(options);
  const token = await findToken(options);
  const agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: options.stallTimeoutMs ?? STALL_TIMEOUT_MS,
    bodyTimeout: options.stallTimeoutMs ?? STALL_TIMEOUT_MS,
  });
  const { signal } = options;
  const headersFor = (url: URL): Record<string, string> => ({
    'user-agent': 'sensorium',
    ...(token !== undefined && url.origin === endpoint.origin && { authorization: `Bearer ${token}` }),
  });
  const hubFetch = (input: string, init: RequestInit): Promise<Response> => {
    const headers = { ...(init.headers as Record<string, string>), ...headersFor(new URL(input)) };
    const all = { ...init, headers, dispatcher: agent, ...(signal && { signal }) };
    return undiciFetch(input, all as Parameters<typeof undiciFetch>[1]);
  };
  return {
    endpoint: endpoint.href.replace(/\/+$/, ''),
    agent,
    fetch: hubFetch as typeof globalThis.fetch,
    checkScheme: (url) => {
      if (url.protocol === 'https:' || (url.protocol === 'http:' && endpoint.protocol === 'http:')) return;
      throw new SensoriumError('download_failed', 'The Hub redirected to an address that is not https.');
    },
    headersFor,
    refusal: (status) => refusal(repository, revision, status),
  };
}
