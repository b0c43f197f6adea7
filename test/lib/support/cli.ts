import { spawn, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The built command line. */
export const CLI = fileURLToPath(new URL('../../../../dist/cli/main.js', import.meta.url));

export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  input?: string;
  env?: Record<string, string>;
}

function start(args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [CLI, ...args], { env: { ...process.env, ...env }, stdio: 'pipe' });
}

/** Runs the command to its end. */
export function runCli(args: string[], { input = '', env }: RunOptions = {}): Promise<Finished> {
  const child = start(args, env);
  const finished: Finished = { code: null, stdout: '', stderr: '' };
  child.stdout!.setEncoding('utf8').on('data', (chunk: string) => (finished.stdout += chunk));
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (finished.stderr += chunk));
  child.stdin!.on('error', () => undefined).end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ ...finished, code }));
  });
}

export interface ServerProcess {
  url: string;
  process: ChildProcess;
  /** Everything on stderr so far. */
  stderr: () => string;
  /** Sends SIGTERM, or another signal, and waits for the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** `sensorium serve` on a free port; resolves once it listens. */
export function startServerProcess(
  args: string[] = [],
  env?: Record<string, string>,
): Promise<ServerProcess> {
  const child = start(['serve', '--port', '0', ...args], env);
  const exited = new Promise<number | null>((resolve) => child.on('close', resolve));
  let stdout = '';
  let stderr = '';
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  return new Promise((resolve, reject) => {
    child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
      const url = /^listening on (\S+)$/m.exec(stdout)?.[1];
      if (url === undefined) return;
      const stop = (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
        child.kill(signal);
        return exited;
      };
      resolve({ url, process: child, stderr: () => stderr, stop });
    });
    void exited.then((code) => reject(new Error(`The server ended with ${code}:\n${stderr}`)));
  });
}
