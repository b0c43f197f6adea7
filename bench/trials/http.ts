import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { measureRates } from '../http-load.js';
import { check, median, type Figure, type Trial } from '../trial.js';

const WANTED = 20_000;
const NUM_ROUNDS = 7;
const BODY = JSON.stringify({
  model: 'stub',
  messages: [{ role: 'user', content: 'Hello' }],
  max_tokens: 16,
});

interface Server {
  process: ChildProcess;
  url: URL;
}

/** A server of the bench in a process of its own, on one core where the system can pin it. */
async function startServer(script: string, args: string[] = []): Promise<Server> {
  const command = [process.execPath, fileURLToPath(new URL(`../${script}`, import.meta.url)), ...args];
  const pinned = process.platform === 'linux' ? ['taskset', '-c', '0', ...command] : command;
  const server = spawn(pinned[0] as string, pinned.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(server.stdout.setEncoding('utf8'), 'data')) as [string];
  return { process: server, url: new URL('/v1/chat/completions', line.trim()) };
}

/** The answer of the stub's server, as text. */
async function askOnce(url: URL): Promise<string> {
  const headers = { 'content-type': 'application/json' };
  const answer = await (await fetch(url, { method: 'POST', headers, body: BODY })).text();
  const { choices } = JSON.parse(answer) as { choices: { message: { content: string } }[] };
  check(choices[0]?.message.content === 'Hello!', 'the stub says hello');
  return answer;
}

/** Rates of both, second by second in turn, so that whatever else the machine does hits both. */
async function measureInTurn(stub: URL, bare: URL): Promise<{ stub: number[]; bare: number[] }> {
  const rates = { stub: [] as number[], bare: [] as number[] };
  for (let round = 0; round < NUM_ROUNDS; round++) {
    const options = { numWarmUpSeconds: round === 0 ? 2 : 0.2, numSeconds: 1 };
    rates.stub.push(...(await measureRates(stub, BODY, options)));
    rates.bare.push(...(await measureRates(bare, BODY, options)));
  }
  return rates;
}

async function runChat(): Promise<Figure[]> {
  const servers: ChildProcess[] = [];
  try {
    const stub = await startServer('stub-server.js');
    servers.push(stub.process);
    const bare = await startServer('bare-server.js', [await askOnce(stub.url)]);
    servers.push(bare.process);
    const rates = await measureInTurn(stub.url, bare.url);
    const rate = median(rates.stub);
    const share = median(rates.stub.map((value, round) => value / (rates.bare[round] as number)));
    return [
      {
        name: 'chat completions of a model that answers at once, one core',
        value: rate,
        unit: '1/s',
        shares: [{ of: `bare node:http (${median(rates.bare).toFixed(0)} 1/s)`, value: share }],
        target: `>= ${WANTED} 1/s`,
        isMet: rate >= WANTED,
      },
    ];
  } finally {
    for (const server of servers) server.kill('SIGKILL');
  }
}

export const HTTP_TRIALS: Trial[] = [{ name: 'http', title: 'HTTP without a model', run: runChat }];
