// A web server with the demo model's samples: it stands for the public address of your own media.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { SAMPLES } from './demo.js';

export interface FileServer {
  /** `http://127.0.0.1:40000` */
  url: string;
  close: () => void;
}

export async function serveSamples(): Promise<FileServer> {
  const server = createServer((request, response) => {
    readFile(`${SAMPLES}/${basename(request.url ?? '')}`).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${port}`, close };
}
