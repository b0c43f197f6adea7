import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { measureRates } from '../http-load.js';
import { check, median, type Figure, type Trial } from '../trial.js';

const WANTED = 20_000;
const BODY = JSON.stringify({
  model: 'stub',
  messages: [{ role: 'user', content: 'Hello' }],
  max_tokens: 16,
});

/** The stub's server in a process of its own, on one core where the system can pin it. */
function startServer(): ChildProcess {
  const command = [process.execPath, fileURLToPath(new URL('../stub-server.js', import.meta.url))];
  const pinned = process.platform === 'linux' ? ['taskset', '-c', '0', ...command] : command;
  return spawn(pinned[0] as string, pinned.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function runChat(): Promise<Figure[]> {
  const server = startServer();
  try {
    const [line] = (await once(server.stdout!.setEncoding('utf8'), 'data')) as [string];
    const url = new URL('/v1/chat/completions', line.trim());
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(url, { method: 'POST', headers, body: BODY });
    const { choices } = (await answer.json()) as { choices: { message: { content: string } }[] };
    check(choices[0]?.message.content === 'Hello!', 'the stub says hello');
    const rate = median(await measureRates(url, BODY));
    return [
      {
        name: 'chat completions of a model that answers at once, one core',
        value: rate,
        unit: '1/s',
        shares: [],
        target: `>= ${WANTED} 1/s`,
        isMet: rate >= WANTED,
      },
    ];
  } finally {
    server.kill('SIGKILL');
  }
}

export const HTTP_TRIALS: Trial[] = [{ name: 'http', title: 'HTTP without a model', run: runChat }];
