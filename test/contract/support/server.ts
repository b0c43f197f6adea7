import { after, before } from 'node:test';
import OpenAI from 'openai';
import { startServerProcess, type ServerProcess } from '../../lib/support/cli.js';

export interface Service {
  client: OpenAI;
  url: string;
  model: string;
  process: ServerProcess;
  /** The value of one line of /metrics. */
  metric(line: string): Promise<number>;
}

/** One `sensorium serve` of the demo model for all tests of a file. */
export function useServer(args: string[] = []): Service {
  const service = {} as Service;
  before(async () => {
    service.process = await startServerProcess(['--log-level', 'warn', ...args]);
    service.url = service.process.url;
    service.client = new OpenAI({ baseURL: `${service.url}/v1`, apiKey: 'none', maxRetries: 0 });
    service.model = (await service.client.models.list()).data[0]!.id;
    service.metric = async (line) => {
      const text = await (await fetch(`${service.url}/metrics`)).text();
      const found = text.split('\n').find((candidate) => candidate.startsWith(`${line} `));
      return Number(found?.slice(line.length + 1));
    };
  });
  after(() => service.process?.stop());
  return service;
}
