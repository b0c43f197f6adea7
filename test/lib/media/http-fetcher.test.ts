import assert from 'node:assert/strict';
import { createServer, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { HttpFetcher } from '../../../lib/media/http-fetcher.js';
import type { MediaPolicy } from '../../../lib/media/types.js';
import type { ResolveHost } from '../../../lib/media/url-guard.js';
import { policyWith } from './support/context.js';
import { rejectsWith } from './support/errors.js';
import { startTestServer } from './support/http-server.js';

function fetcherWith(
  t: TestContext,
  overrides: Partial<MediaPolicy> = {},
  resolveHost?: ResolveHost,
): HttpFetcher {
  const policy = policyWith({ allowPrivateMediaAddresses: true, ...overrides });
  const fetcher = new HttpFetcher(policy, resolveHost);
  t.after(() => fetcher.close());
  return fetcher;
}

const image = { modality: 'image' } as const;

describe('bodies', () => {
  test('come as they are, with and without a declared length', async (t) => {
    const body = Buffer.from('picture bytes');
    const server = await startTestServer(t, (request, response) => {
      if (request.url === '/chunked') response.write(body.subarray(0, 4));
      response.end(request.url === '/chunked' ? body.subarray(4) : body);
    });
    const fetcher = fetcherWith(t);
    const lengths: number[] = [];
    const onLength = (numBytes: number): Promise<void> => {
      lengths.push(numBytes);
      return Promise.resolve();
    };
    for (const path of ['/plain', '/chunked']) {
      assert.deepEqual(await fetcher.fetch(new URL(server.url(path)), { ...image, onLength }), body);
    }
    assert.deepEqual(lengths, [body.length, 2 ** 20]);
  });

  test('are given room as they come, not as they are declared', async (t) => {
    const pieces = Array.from({ length: 5 }, () => Buffer.alloc(1_000_000, 7));
    const server = await startTestServer(t, (request, response) => {
      if (request.url === '/declared') response.writeHead(200, { 'content-length': '5000000' });
      for (const piece of pieces) response.write(piece);
      response.end();
    });
    const fetcher = fetcherWith(t);
    for (const [path, most] of [
      ['/declared', 5_000_000],
      ['/chunked', 2 ** 23],
    ] as const) {
      const rooms: number[] = [];
      const onLength = (numBytes: number): Promise<void> => {
        rooms.push(numBytes);
        return Promise.resolve();
      };
      const body = await fetcher.fetch(new URL(server.url(path)), { ...image, onLength });
      assert.deepEqual(body, Buffer.concat(pieces));
      assert.equal(rooms[0], 2 ** 20);
      assert.equal(rooms.at(-1), most);
      assert.ok(rooms.every((room, i) => i === 0 || room > rooms[i - 1]!));
    }
  });

  test('over the cap are cut off: by their declared length, and while streaming', async (t) => {
    const closed: Promise<void>[] = [];
    const server = await startTestServer(t, (request, response) => {
      closed.push(new Promise((resolve) => response.on('close', resolve)));
      if (request.url === '/declared') response.writeHead(200, { 'content-length': '100000000' });
      const write = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(1000), write);
      };
      write();
    });
    const fetcher = fetcherWith(t, { maxImageBytes: 50_000 });
    await rejectsWith(fetcher.fetch(new URL(server.url('/declared')), image), 'media_too_large');
    await rejectsWith(fetcher.fetch(new URL(server.url('/endless')), image), 'media_too_large');
    // The server writes on until its connections are cut.
    await Promise.all(closed);
  });

  test('in a content encoding that was not asked for are refused, not unpacked', async (t) => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    const server = await startTestServer(t, (request, response) => {
      assert.equal(request.headers['accept-encoding'], 'identity');
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb);
    });
    await rejectsWith(fetcherWith(t).fetch(new URL(server.url('/')), image), 'media_fetch_rejected');
  });
});

describe('upstream answers', () => {
  test('a 4xx is final, a 5xx is tried again up to the limit', async (t) => {
    const server = await startTestServer(t, (request, response) => {
      response.writeHead(Number(request.url?.slice(1))).end();
    });
    const fetcher = fetcherWith(t, { maxFetchAttempts: 2 });
    for (const status of [400, 403, 404, 410, 429]) {
      const error = await rejectsWith(
        fetcher.fetch(new URL(server.url(`/${status}`)), image),
        'media_fetch_rejected',
      );
      assert.equal(error.status, 422);
    }
    assert.equal(server.hits.length, 5);
    const error = await rejectsWith(fetcher.fetch(new URL(server.url('/503')), image), 'media_fetch_failed');
    assert.equal(error.status, 502);
    assert.equal(server.hits.length, 7);
  });

  test('a passing 5xx is forgotten', async (t) => {
    let numAsked = 0;
    const server = await startTestServer(t, (_request, response) => {
      response.writeHead(++numAsked === 1 ? 500 : 200).end('fine');
    });
    assert.equal((await fetcherWith(t).fetch(new URL(server.url('/')), image)).toString(), 'fine');
  });

  test('a host that is not there fails with 502', async (t) => {
    const server = await startTestServer(t, () => undefined);
    server.server.closeAllConnections();
    await new Promise((resolve) => server.server.close(resolve));
    await rejectsWith(
      fetcherWith(t, { maxFetchAttempts: 2 }).fetch(new URL(server.url('/')), image),
      'media_fetch_failed',
    );
    const noSuchName: ResolveHost = (_host, _options, callback) =>
      callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), []);
    const fetcher = fetcherWith(t, { maxFetchAttempts: 1 }, noSuchName);
    await rejectsWith(fetcher.fetch(new URL('http://nowhere.example/'), image), 'media_fetch_failed');
  });
});

describe('time', () => {
  test('a server that never answers, and one that drips, end at the deadline', async (t) => {
    const server = await startTestServer(t, (request, response) => {
      if (request.url === '/silent') return;
      response.writeHead(200);
      const timer = setInterval(() => response.write('x'), 5);
      response.on('close', () => clearInterval(timer));
    });
    const fetcher = fetcherWith(t, { imageFetchTimeoutMs: 150 });
    for (const path of ['/silent', '/drip']) {
      const error = await rejectsWith(fetcher.fetch(new URL(server.url(path)), image), 'media_fetch_timeout');
      assert.equal(error.status, 504);
    }
  });

  test('the deadline holds for all redirects and attempts together', async (t) => {
    const server = await startTestServer(t, (_request, response) => {
      setTimeout(() => response.writeHead(503).end(), 60);
    });
    const fetcher = fetcherWith(t, { imageFetchTimeoutMs: 200, maxFetchAttempts: 50 });
    await rejectsWith(fetcher.fetch(new URL(server.url('/')), image), 'media_fetch_timeout');
    assert.ok(server.hits.length < 5);
  });

  test('that went by waiting for room is not the fault of the media server', async (t) => {
    const server = await startTestServer(t, (_, response) => response.end('picture'));
    const fetcher = fetcherWith(t, { imageFetchTimeoutMs: 100 });
    const timedOut = async (numBytes: number, maxWaitMs: number): Promise<void> => {
      assert.ok(numBytes > 0);
      await sleep(maxWaitMs + 50);
    };
    const url = new URL(server.url('/'));
    await rejectsWith(fetcher.fetch(url, { ...image, onLength: timedOut }), 'rate_limited');
  });

  test('a client that leaves ends the fetch', async (t) => {
    const leaving = new AbortController();
    let hasClosed: () => void;
    const closed = new Promise<void>((resolve) => (hasClosed = resolve));
    const server = await startTestServer(t, (_request, response) => {
      response.on('close', () => hasClosed());
      leaving.abort();
    });
    const fetched = fetcherWith(t).fetch(new URL(server.url('/')), { ...image, signal: leaving.signal });
    await rejectsWith(fetched, 'request_cancelled');
    await closed;
  });
});

describe('redirects', () => {
  test('are followed up to the limit, relative ones too', async (t) => {
    const server = await startTestServer(t, (request, response) => {
      const left = Number(request.url?.slice(1));
      if (left === 0) response.end('arrived');
      else
        response.writeHead([301, 302, 303, 307, 308][left % 5] as number, { location: `/${left - 1}` }).end();
    });
    const fetcher = fetcherWith(t);
    assert.equal((await fetcher.fetch(new URL(server.url('/3')), image)).toString(), 'arrived');
    await rejectsWith(fetcher.fetch(new URL(server.url('/4')), image), 'media_fetch_rejected');
    await rejectsWith(
      fetcherWith(t, { maxRedirects: 0 }).fetch(new URL(server.url('/1')), image),
      'media_fetch_rejected',
    );
  });

  test('to another scheme, to credentials and to a domain that is not listed are refused', async (t) => {
    const canary = await startTestServer(t, (_request, response) => response.end('secret'));
    let location = '';
    const server = await startTestServer(t, (_request, response) =>
      response.writeHead(302, { location }).end(),
    );
    const fetcher = fetcherWith(t, { allowedMediaDomains: ['127.0.0.1'] });
    for (const [target, code] of [
      ['file:///etc/hostname', 'url_scheme_refused'],
      ['data:text/plain,x', 'url_scheme_refused'],
      [`http://user:secret@127.0.0.1:${canary.port}/`, 'invalid_url'],
      [`http://localhost:${canary.port}/`, 'media_domain_refused'],
      [`http://127.0.0.1\\@localhost:${canary.port}/`, 'invalid_url'],
    ] as const) {
      location = target;
      await rejectsWith(fetcher.fetch(new URL(server.url('/')), image), code);
    }
    assert.deepEqual(canary.hits, []);
  });
});

describe('addresses', () => {
  test('no request reaches a loopback server without the flag, whatever the host is called', async (t) => {
    const canary = await startTestServer(t, (_request, response) => response.end('secret'));
    const toLoopback: ResolveHost = (_host, _options, callback) =>
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    const fetcher = fetcherWith(t, { allowPrivateMediaAddresses: false, maxFetchAttempts: 1 }, toLoopback);
    for (const host of ['127.0.0.1', 'localhost', 'public.example', '[::ffff:127.0.0.1]', '2130706433']) {
      await rejectsWith(
        fetcher.fetch(new URL(`http://${host}:${canary.port}/`), image),
        'media_address_refused',
      );
    }
    assert.deepEqual(canary.hits, []);
  });

  test('a name is resolved once a connection, and its answer is what is dialled', async (t) => {
    const canary = await startTestServer(t, (_request, response) => response.end('secret'));
    let numLookups = 0;
    // Public at first, loopback from then on: a second look would reach the canary.
    const rebinding: ResolveHost = (_host, _options, callback) => {
      numLookups++;
      callback(null, [{ address: numLookups === 1 ? '192.0.2.1' : '127.0.0.1', family: 4 }]);
    };
    const fetcher = fetcherWith(
      t,
      { allowPrivateMediaAddresses: false, imageFetchTimeoutMs: 300 },
      rebinding,
    );
    await rejectsWith(
      fetcher.fetch(new URL(`http://a.example:${canary.port}/`), image),
      'media_address_refused',
    );
    assert.deepEqual(canary.hits, []);
  });

  test('proxies of the environment are not used', async (t) => {
    const proxy = await startTestServer(t, (_request, response) => response.end('proxied'));
    const server = await startTestServer(t, (_request, response) => response.end('direct'));
    const before = process.env['http_proxy'];
    process.env['http_proxy'] = proxy.url('');
    t.after(() => {
      if (before === undefined) delete process.env['http_proxy'];
      else process.env['http_proxy'] = before;
    });
    assert.equal((await fetcherWith(t).fetch(new URL(server.url('/')), image)).toString(), 'direct');
    assert.deepEqual(proxy.hits, []);
  });
});

describe('broken servers', () => {
  async function rawServer(t: TestContext, speak: (socket: Socket) => void): Promise<URL> {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => speak(socket));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(() => server.close());
    return new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  }

  test('endless headers, nonsense and a body cut short fail cleanly', async (t) => {
    const fetcher = fetcherWith(t, { maxFetchAttempts: 1 });
    const endless = await rawServer(t, (socket) =>
      socket.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(200_000)}`),
    );
    await rejectsWith(fetcher.fetch(endless, image), 'media_fetch_failed');
    const nonsense = await rawServer(t, (socket) => socket.end('SSH-2.0-server\r\n'));
    await rejectsWith(fetcher.fetch(nonsense, image), 'media_fetch_failed');
    const short = await rawServer(t, (socket) =>
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc'),
    );
    await rejectsWith(fetcher.fetch(short, image), 'media_fetch_failed');
  });
});
