import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { startServerProcess, type ServerProcess } from '../lib/support/cli.js';
import { startTestServer } from '../lib/media/support/http-server.js';
import { ask, part, type Part } from './support/ask.js';
import { dataUrl, readSample } from './support/samples.js';

const PICTURE = 'shape-1.png';
const MODALITIES = ['image', 'video', 'audio'] as const;

function useProcess(args: string[], env?: Record<string, string>): ServerProcess {
  const server = {} as ServerProcess;
  before(async () => {
    const started = await startServerProcess(['--log-level', 'warn', '--kv-cache-gb', '0.02', ...args], env);
    Object.assign(server, started);
  });
  after(() => server.stop());
  return server;
}

/** Errors may name the field and the limit, nothing of the machine or of the URL. */
function assertDiscreet(error: any, secrets: RegExp[] = []): void {
  const text = JSON.stringify(error);
  for (const secret of [
    /\/(tmp|home|work|usr|etc)\//,
    /0x[0-9a-f]{6,}/i,
    /\n\s+at /,
    /hunter2/,
    ...secrets,
  ]) {
    assert.doesNotMatch(text, secret);
  }
}

async function stillAnswers(server: ServerProcess): Promise<void> {
  assert.equal((await ask([part('image', dataUrl(PICTURE))], { url: server.url })).status, 200);
}

describe('a server without flags', () => {
  const server = useProcess([]);

  test('reaches nothing on this machine or its networks, however the address is written', async (t) => {
    const canary = await startTestServer(t, (_request, response) => response.end(readSample(PICTURE)));
    const { port } = canary;
    const hosts = [
      ...['127.0.0.1', 'localhost', 'LOCALHOST.', 'x.localhost', '0', '0.0.0.0', '127.1', '2130706433'],
      ...['0x7f.1', '0x7f000001', '0177.0.0.1', '017700000001', '127.0.0.1.', '127。0。0。1', '１２７.0.0.1'],
      ...['[::1]', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:0:0:1]', '[::127.0.0.1]'],
      ...['[64:ff9b::7f00:1]', '[64:ff9b::127.0.0.1]', '[2002:7f00:1::]', '[fe80::1]', '[fc00::1]'],
      ...['169.254.169.254', '100.64.0.1', '10.0.0.1', '172.16.0.1', '192.168.0.1', '198.18.0.1'],
    ];
    const forms = [
      ...hosts.map((host) => `http://${host}:${port}/`),
      `http://a.example\\@127.0.0.1:${port}/`,
      `http://127.0.0.1:${port}\\@a.example/`,
      `http://a.example@127.0.0.1:${port}/`,
      `http://user:hunter2@127.0.0.1:${port}/`,
      `http://127.0.0.1:${port}#@a.example/`,
      `http://127.0.0.1\t:${port}/`,
      `http://127.0.0.1:${port}/\n`,
      ` http://127.0.0.1:${port}/`,
      `http:127.0.0.1:${port}/`,
      `http:/\\127.0.0.1:${port}/`,
      `HTTP://127.0.0.1:${port}/`,
      `ftp://127.0.0.1:${port}/`,
      `gopher://127.0.0.1:${port}/`,
      `//127.0.0.1:${port}/`,
    ];
    for (const url of forms) {
      const { status, error } = await ask([part('image', url)], { url: server.url });
      assert.ok(status === 400 || status === 403, `${status} for ${JSON.stringify(url)}`);
      assertDiscreet(error, [/127\.0\.0\.1/]);
    }
    assert.deepEqual(canary.hits, []);
  });

  test('passes every field that takes media through the same guard', async (t) => {
    const canary = await startTestServer(t, (_request, response) => response.end(readSample(PICTURE)));
    const url = canary.url('/x');
    const parts: Part[] = [
      ...MODALITIES.map((modality) => part(modality, url)),
      ...MODALITIES.map((modality) => part(modality, url, `uuid of ${modality}`)),
      { type: 'input_audio', input_audio: { data: url, format: 'wav' } },
      { type: 'input_image', image_url: url },
      { type: 'image', image: url },
    ];
    for (const one of parts) {
      for (const path of ['/v1/chat/completions', '/tokenize']) {
        const messages = [{ role: 'user', content: [one] }];
        const response = await fetch(server.url + path, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ messages }),
        });
        assert.ok([400, 403].includes(response.status), `${response.status} ${JSON.stringify(one)}`);
      }
    }
    assert.deepEqual(canary.hits, []);
  });

  test('reads no file', async () => {
    for (const url of ['file:///etc/passwd', 'file://localhost/etc/passwd', 'FILE:///etc/passwd']) {
      const { status, error } = await ask([part('image', url)], { url: server.url });
      assert.deepEqual([status, error.code], [403, 'local_file_refused']);
    }
  });

  test('tells of broken media no more than that they are broken', async () => {
    for (const modality of MODALITIES) {
      for (const head of [
        '',
        '\x89PNG\r\n\x1a\n',
        '\xff\xd8\xff\xe0',
        'GIF89a',
        'RIFF\x10\0\0\0WAVEfmt ',
        'OggS',
        'fLaC',
        'II*\0',
        '<svg xmlns="x"/>',
        '%PDF-1.4',
        '#EXTM3U\nfile:///etc/passwd\n',
        '\0\0\0\x18ftypmp42',
      ]) {
        const bytes = Buffer.from(`${head}${'\x07broken'.repeat(40)}`, 'latin1');
        const url = `data:application/octet-stream;base64,${bytes.toString('base64')}`;
        const { status, error } = await ask([part(modality, url)], { url: server.url });
        assert.ok(
          status === 400 || status === 501,
          `${modality} ${JSON.stringify(head)}: ${status} ${error?.message}`,
        );
        assertDiscreet(error);
      }
    }
    await stillAnswers(server);
  });

  test('refuses a bomb by its header', async () => {
    const ihdr = Buffer.alloc(13);
    ihdr.writeUInt32BE(14_000, 0);
    ihdr.writeUInt32BE(14_000, 4);
    ihdr.set([8, 2, 0, 0, 0], 8);
    const chunk = Buffer.concat([Buffer.from([0, 0, 0, 13]), Buffer.from('IHDR'), ihdr, Buffer.alloc(4)]);
    const png = Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk, Buffer.alloc(100)]);
    const { status } = await ask([part('image', `data:image/png;base64,${png.toString('base64')}`)], {
      url: server.url,
    });
    assert.ok(status === 413 || status === 400);
  });

  test('refuses absurd numbers of frames, parts and everything else', async () => {
    const clip = part('video', dataUrl('video-1.webp'));
    for (const value of [1e9, -5, 0, '2', 1e308]) {
      for (const fields of [
        { media_io_kwargs: { video: { fps: value } } },
        { media_io_kwargs: { video: { num_frames: value } } },
        { mm_processor_kwargs: { max_frames: value } },
      ]) {
        assert.equal((await ask([clip], { url: server.url, fields })).status, 400, JSON.stringify(fields));
      }
    }
    const frames = `data:video/jpeg;base64,${'AAAA,'.repeat(100_000)}AAAA`;
    assert.equal((await ask([part('video', frames)], { url: server.url })).status, 400);
    const many = Array.from({ length: 10_000 }, () => part('image', 'data:image/png;base64,AAAA'));
    assert.equal((await ask(many, { url: server.url })).error.code, 'too_many_media');
    await stillAnswers(server);
  });

  test('serves or refuses odd uuids, salts and request ids, and never mixes two requests', async () => {
    const odd = ['\0', 'a\nb', '\ud800', '__proto__', 'constructor', '../../etc/passwd', 'é'.repeat(200)];
    for (const text of odd) {
      const fields = { cache_salt: text };
      const { status } = await ask([part('image', dataUrl(PICTURE), text)], { url: server.url, fields });
      assert.ok(status === 200 || status === 400, `${status} ${JSON.stringify(text)}`);
    }
    const long = 'x'.repeat(1_000_000);
    assert.equal((await ask([part('image', dataUrl(PICTURE), long)], { url: server.url })).status, 400);
    assert.equal((await ask([], { url: server.url, fields: { cache_salt: long } })).status, 400);
    const texts = await Promise.all(
      [PICTURE, 'shape-2.jpg'].map(async (file) => {
        const content = [part('image', dataUrl(file)), { type: 'text', text: 'Describe this image.' }];
        const response = await fetch(`${server.url}/v1/chat/completions`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'x-request-id': 'the-same' },
          body: JSON.stringify({ messages: [{ role: 'user', content }], temperature: 0, max_tokens: 24 }),
        });
        return ((await response.json()) as any).choices[0].message.content as string;
      }),
    );
    assert.match(texts[0]!, /rectangle/);
    assert.notEqual(texts[0], texts[1]);
  });

  test('survives malformed hosts and heads', async () => {
    const { port } = new URL(server.url);
    for (const head of [
      'Host: a b c',
      'Host: [::1',
      `Host: ${'h'.repeat(8000)}`,
      'Host:\r\nHost: b',
      'X: y',
      'Host: a@b\\c',
    ]) {
      const status = await new Promise<number>((resolve) => {
        const socket = connect(Number(port), '127.0.0.1', () =>
          socket.write(`GET /v1/models HTTP/1.1\r\n${head}\r\n\r\n`),
        );
        socket.on('data', (chunk: Buffer) => {
          resolve(Number(/^HTTP\/1.1 (\d+)/.exec(chunk.toString('latin1'))?.[1]));
          socket.destroy();
        });
      });
      assert.ok(status === 200 || (status >= 400 && status < 500), `${status} ${head.slice(0, 20)}`);
    }
  });
});

describe('a folder that is opened', () => {
  const root = mkdtempSync(join(tmpdir(), 'sensorium-files-'));
  const folder = join(root, 'open');
  const server = useProcess(['--allowed-local-media-path', folder]);
  after(() => rmSync(root, { recursive: true }));
  prepareFolder(root, folder);

  test('gives its files and nothing else', async () => {
    const codeOf = async (url: string): Promise<string | undefined> => {
      const { error } = await ask([part('image', url)], { url: server.url });
      if (error !== undefined) assertDiscreet(error, [/sensorium-files/]);
      return error?.code;
    };
    for (const name of ['picture.png', 'with%20space.png', 'inner.png', 'sub/../picture.png']) {
      assert.equal(await codeOf(`file://${folder}/${name}`), undefined, name);
    }
    for (const [path, code] of [
      [`${folder}/outer.png`, 'local_file_refused'],
      [`${folder}/../secret.png`, 'local_file_refused'],
      [`${folder}/%2e%2e/secret.png`, 'local_file_refused'],
      [`${folder}/..%2fsecret.png`, 'invalid_url'],
      [`${folder}/picture.png%00.jpg`, undefined],
      [folder, 'local_file_refused'],
      [`${folder}/`, 'local_file_refused'],
      [`${folder}-other/secret.png`, 'local_file_refused'],
      ['/etc/passwd', 'local_file_refused'],
      [`${folder}/missing.png`, 'local_file_not_found'],
    ] as const) {
      const found = await codeOf(`file://${path}`);
      assert.ok(found !== undefined && (code === undefined || found === code), `${path}: ${found}`);
    }
    assert.equal(await codeOf(`file://other.example${folder}/picture.png`), 'local_file_refused');
  });
});

describe('media servers of ill will', () => {
  const server = useProcess(['--allow-private-media-addresses'], {
    SENSORIUM_IMAGE_FETCH_TIMEOUT: '1',
    SENSORIUM_VIDEO_FETCH_TIMEOUT: '20',
    SENSORIUM_MAX_MEDIA_DOWNLOAD_SIZE_MB: '1',
    SENSORIUM_MAX_MEDIA_IN_FLIGHT_MB: '2',
  });
  const statusOf = async (url: string): Promise<[number, string]> => {
    const { status, error } = await ask([part('image', url)], { url: server.url });
    if (error !== undefined) assertDiscreet(error, [/127\.0\.0\.1/, new RegExp(url)]);
    return [status, error?.code];
  };

  test('cost one request and its deadline', async (t) => {
    const speak = (talk: (socket: Socket) => void): Promise<string> => rawServer(t, talk);
    const head = 'HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n';
    const silent = await speak(() => undefined);
    const drip = await speak((socket) => {
      socket.write(`${head}content-length: 900000\r\n\r\n`);
      again(socket, 20, 'x');
    });
    const endlessHeaders = await speak((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      again(socket, 1, `x-${'y'.repeat(999)}: z\r\n`);
    });
    const endlessBody = await speak((socket) => {
      socket.write(`${head}\r\n`);
      again(socket, 1, Buffer.alloc(65536));
    });
    const lying = await speak((socket) => socket.end(`${head}content-length: 100000\r\n\r\nshort`));
    const tooLong = await speak((socket) => socket.write(`${head}content-length: 99999999999\r\n\r\n`));
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const gzip = await speak((socket) =>
      socket.end(
        Buffer.concat([
          Buffer.from(`${head}content-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`),
          bomb,
        ]),
      ),
    );
    assert.deepEqual(await statusOf(silent), [504, 'media_fetch_timeout']);
    assert.deepEqual(await statusOf(drip), [504, 'media_fetch_timeout']);
    assert.deepEqual((await statusOf(endlessHeaders))[0], 502);
    assert.deepEqual(await statusOf(endlessBody), [413, 'media_too_large']);
    assert.deepEqual(await statusOf(lying), [502, 'media_fetch_failed']);
    assert.deepEqual(await statusOf(tooLong), [413, 'media_too_large']);
    assert.deepEqual(await statusOf(gzip), [422, 'media_fetch_rejected']);
    await stillAnswers(server);
  });

  test('a refusal is told at once, a failure tried again, and nothing is a 500', async (t) => {
    const media = await startTestServer(t, (request, response) =>
      response.writeHead(Number(request.url!.slice(1))).end(),
    );
    for (const status of [400, 401, 403, 404, 410, 429]) {
      assert.deepEqual(await statusOf(media.url(`/${status}`)), [422, 'media_fetch_rejected']);
    }
    assert.equal(media.hits.length, 6);
    assert.deepEqual(await statusOf(media.url('/503')), [502, 'media_fetch_failed']);
    assert.equal(media.hits.length, 9);
    assert.deepEqual(await statusOf('http://127.0.0.1:1/x'), [502, 'media_fetch_failed']);
    assert.deepEqual(await statusOf('http://no-such-host.invalid/x'), [502, 'media_fetch_failed']);
  });

  test('all media of a request share one deadline', async (t) => {
    const media = await startTestServer(t, (_request, response) => {
      setTimeout(() => response.end(readSample(PICTURE)), 400);
    });
    const some = Array.from({ length: 8 }, (_, i) => part('image', media.url(`/${i}`)));
    assert.equal((await ask(some, { url: server.url })).status, 200);
    const many = Array.from({ length: 40 }, (_, i) => part('image', media.url(`/many/${i}`)));
    const { status, error } = await ask(many, { url: server.url });
    assert.deepEqual([status, error.code], [504, 'media_fetch_timeout']);
  });

  test('beyond the budget requests wait, then are told to come again', async (t) => {
    const media = await startTestServer(t, (_request, response) => {
      response.writeHead(200, { 'content-length': '1000000' }).write('x');
    });
    const holder = new AbortController();
    const holding = fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      signal: holder.signal,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: [{ role: 'user', content: [part('video', media.url('/held'))] }] }),
    }).catch(() => undefined);
    while (media.hits.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    const waiting = await ask([part('image', media.url('/waits'))], { url: server.url });
    assert.deepEqual([waiting.status, waiting.error.code], [429, 'rate_limited']);
    assert.ok(Number(waiting.headers.get('retry-after')) >= 1);
    holder.abort();
    await holding;
    await stillAnswers(server);
  });

  test('redirects are followed three times and no further', async (t) => {
    const media = await startTestServer(t, (request, response) => {
      const left = Number(request.url!.slice(1));
      if (left === 0) response.end(readSample(PICTURE));
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    });
    assert.equal((await statusOf(media.url('/3')))[0], 200);
    assert.deepEqual(await statusOf(media.url('/4')), [422, 'media_fetch_rejected']);
  });
});

function prepareFolder(root: string, folder: string): void {
  mkdirSync(join(folder, 'sub'), { recursive: true });
  mkdirSync(`${folder}-other`);
  const picture = readSample(PICTURE);
  for (const path of ['open/picture.png', 'open/with space.png', 'secret.png', 'open-other/secret.png']) {
    writeFileSync(join(root, path), picture);
  }
  symlinkSync(join(folder, 'picture.png'), join(folder, 'inner.png'));
  symlinkSync(join(root, 'secret.png'), join(folder, 'outer.png'));
}

/** Writes `data` every so often until the other side leaves. */
function again(socket: Socket, everyMs: number, data: string | Buffer): void {
  const timer = setInterval(() => socket.write(data), everyMs);
  socket.once('close', () => clearInterval(timer));
}

/** A server that speaks for itself once a request has come. */
async function rawServer(t: TestContext, speak: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('data', () => speak(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
