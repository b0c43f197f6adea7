import { connect, type Socket } from 'node:net';

/** How long an answer is, from its first bytes: the head with the length it tells. */
function answerLength(text: string): number | undefined {
  const headEnd = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text);
  return headEnd < 0 || length === null ? undefined : headEnd + 4 + Number(length[1]);
}

/** One connection that sends its request again as soon as the answer is there. */
class Client {
  numAnswers = 0;
  /** Of one answer; all have this many, as ids and dates have fixed lengths. */
  private answerBytes: number | undefined;
  private numBytes = 0;
  private text = '';

  constructor(
    private readonly socket: Socket,
    private readonly request: Buffer,
  ) {
    socket.on('data', (chunk) => this.take(chunk));
  }

  send(): void {
    this.socket.write(this.request);
  }

  private take(chunk: Buffer): void {
    if (this.answerBytes === undefined) {
      this.text += chunk.toString('latin1');
      this.answerBytes = answerLength(this.text);
    }
    this.numBytes += chunk.length;
    if (this.answerBytes === undefined || this.numBytes < this.answerBytes) return;
    if (this.numBytes > this.answerBytes) throw new Error('answers differ in length');
    this.numBytes = 0;
    this.numAnswers++;
    this.send();
  }
}

const opened = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }, () => resolve(socket));
    socket.once('error', reject);
  });

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Keeps this thread from sleeping: waking it would be the server's cost, several microseconds a write. */
function stayAwake(): () => void {
  let isOver = false;
  const turn = (): void => {
    if (!isOver) setImmediate(turn);
  };
  turn();
  return () => (isOver = true);
}

/** Answers a second over keep-alive connections that each have one request under way; one rate a measured second. */
export async function measureRates(
  url: URL,
  body: string,
  { numConnections = 64, numWarmUpSeconds = 2, numSeconds = 5 } = {},
): Promise<number[]> {
  const head = `POST ${url.pathname} HTTP/1.1\r\nhost: ${url.host}\r\ncontent-type: application/json\r\n`;
  const request = Buffer.from(`${head}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  const sockets = await Promise.all(Array.from({ length: numConnections }, () => opened(Number(url.port))));
  const clients = sockets.map((socket) => new Client(socket, request));
  const count = (): number => clients.reduce((sum, client) => sum + client.numAnswers, 0);
  const relax = stayAwake();
  for (const client of clients) client.send();
  await sleep(numWarmUpSeconds * 1000);
  const rates: number[] = [];
  for (let i = 0; i < numSeconds; i++) {
    const [numBefore, startMs] = [count(), performance.now()];
    await sleep(1000);
    rates.push(((count() - numBefore) * 1000) / (performance.now() - startMs));
  }
  relax();
  for (const socket of sockets) socket.destroy();
  return rates;
}
