import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export const COMMIT = '0123456789abcdef0123456789abcdef01234567';

export interface FakeFile {
  content: Buffer;
  /** Large files are named by SHA-256, small ones by git's SHA-1. */
  isLfs?: boolean;
}

/** What goes wrong with the content of one file, by path. */
export interface Fault {
  /** Cuts each answer after so many bytes, so many times. */
  cutAfterBytes?: number;
  numCuts?: number;
  /** What would be cut is kept open instead, and nothing more comes. */
  isStalling?: boolean;
  /** Answers 503 so many times. */
  num503?: number;
  /** Sends other bytes of the same length, so many times. */
  numWrongContents?: number;
  /** Ignores ranges. */
  isWithoutRanges?: boolean;
  /** Sends more than was named. */
  numExtraBytes?: number;
  redirect?: string;
}

/** A server that plays the Hub for one repository. */
export class FakeHub {
  readonly requests: { path: string; range: string | undefined; authorization: string | undefined }[] = [];
  readonly faults = new Map<string, Fault>();
  /** Answers every question with this status. */
  refusal: number | undefined;
  private readonly server = createServer((request, response) => this.answer(request, response));

  constructor(
    readonly repository: string,
    readonly files: Map<string, FakeFile>,
  ) {}

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  numDownloads(path: string): number {
    return this.requests.filter((request) => request.path.endsWith(`/resolve/${COMMIT}/${path}`)).length;
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const { range, authorization } = request.headers;
    this.requests.push({ path, range, authorization });
    if (this.refusal !== undefined) return sendJson(response, this.refusal, { error: 'refused' });
    if (path.startsWith(`/api/models/${this.repository}/revision/`)) {
      return sendJson(response, 200, { _id: '1', id: this.repository, sha: COMMIT, private: false });
    }
    if (path === `/api/models/${this.repository}/tree/${COMMIT}`) return sendJson(response, 200, this.tree());
    const prefix = `/${this.repository}/resolve/${COMMIT}/`;
    const name = path.startsWith(prefix) ? path.slice(prefix.length) : '';
    const file = this.files.get(name);
    if (file === undefined) return sendJson(response, 404, { error: 'not found' });
    this.sendFile(response, file, this.faults.get(name) ?? {}, range);
  }

  private tree(): object[] {
    return [...this.files].map(([path, { content, isLfs }]) => {
      const oid = createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
      const lfs = {
        oid: createHash('sha256').update(content).digest('hex'),
        size: content.length,
        pointerSize: 130,
      };
      return { type: 'file', path, size: content.length, oid, ...(isLfs === true && { lfs }) };
    });
  }

  private sendFile(response: ServerResponse, file: FakeFile, fault: Fault, range: string | undefined): void {
    if (fault.redirect !== undefined) return void response.writeHead(302, { location: fault.redirect }).end();
    if ((fault.num503 ?? 0) > 0) {
      fault.num503 = (fault.num503 ?? 0) - 1;
      return void response.writeHead(503).end('busy');
    }
    const start = fault.isWithoutRanges === true ? 0 : Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    let { content } = file;
    if ((fault.numWrongContents ?? 0) > 0) {
      fault.numWrongContents = (fault.numWrongContents ?? 0) - 1;
      content = Buffer.alloc(content.length, 0x78);
    }
    const rest = Buffer.concat([content.subarray(start), Buffer.alloc(fault.numExtraBytes ?? 0)]);
    const headers =
      start > 0 ? { 'content-range': `bytes ${start}-${content.length - 1}/${content.length}` } : {};
    const isCut = (fault.numCuts ?? 0) > 0 && fault.cutAfterBytes !== undefined;
    response.writeHead(start > 0 ? 206 : 200, { ...headers, 'content-length': rest.length });
    if (!isCut) return void response.end(rest);
    fault.numCuts = (fault.numCuts ?? 0) - 1;
    response.write(rest.subarray(0, fault.cutAfterBytes), () => {
      if (fault.isStalling !== true) setTimeout(() => response.destroy(), 20);
    });
  }
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
