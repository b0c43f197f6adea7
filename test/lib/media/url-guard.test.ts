import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { describe, test } from 'node:test';
import { isPublicAddress, parseMediaUrl, parseRedirect, UrlGuard } from '../../../lib/media/url-guard.js';
import { policyWith } from './support/context.js';
import { throwsWith } from './support/errors.js';

const PRIVATE_HOSTS = [
  '127.0.0.1',
  '127.1',
  '0',
  '0.0.0.0',
  '2130706433',
  '0x7f.1',
  '0x7f000001',
  '0177.0.0.1',
  '10.1.2.3',
  '172.16.0.1',
  '192.168.1.1',
  '169.254.169.254',
  '100.64.0.1',
  '192.0.0.1',
  '198.18.0.1',
  '224.0.0.1',
  '255.255.255.255',
  '127.0.0.1.',
  'localhost',
  'LOCALHOST.',
  'media.localhost',
  '127。0。0。1',
  '[::1]',
  '[::]',
  '[::ffff:127.0.0.1]',
  '[::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b:1::1]',
  '[2002:7f00:1::]',
  '[2001::1]',
  '[2001:db8::1]',
  '[fc00::1]',
  '[fe80::1]',
  '[fec0::1]',
  '[ff02::1]',
  '[100::1]',
];

function httpUrl(text: string): URL {
  const parsed = parseMediaUrl(text);
  assert.equal(parsed.kind, 'http');
  return (parsed as { url: URL }).url;
}

describe('literal addresses', () => {
  const guard = new UrlGuard(policyWith());
  for (const host of PRIVATE_HOSTS) {
    test(`${host} is refused without a flag`, () => {
      throwsWith(() => guard.check(httpUrl(`http://${host}/x`)), 'media_address_refused');
    });
  }

  test('public addresses pass, and private ones do where they are permitted', () => {
    guard.check(httpUrl('http://8.8.8.8/x'));
    guard.check(httpUrl('https://[2606:4700::1111]/x'));
    const open = new UrlGuard(policyWith({ allowPrivateMediaAddresses: true }));
    open.check(httpUrl('http://127.0.0.1/x'));
    open.check(httpUrl('http://localhost/x'));
    open.check(httpUrl('http://[::1]/x'));
  });

  test('what is no address is not public', () => {
    for (const text of ['', 'localhost', '1.2.3', '::g']) assert.equal(isPublicAddress(text), false);
  });
});

describe('URL forms', () => {
  test('forms that parsers may read differently are refused', () => {
    for (const text of [
      'http://allowed.example\\@127.0.0.1/',
      'http://allowed.example\\.evil.example/',
      'http://allowed.example\t@127.0.0.1/',
      'http://allowed.\nexample/',
      'http://allowed.example/\0',
      'http://user:secret@allowed.example/',
      'http://allowed.example@127.0.0.1/',
      'http://',
      'http://[::1',
      'not a url',
      '',
      `http://allowed.example/${'a'.repeat(20_000)}`,
    ]) {
      throwsWith(() => parseMediaUrl(text), 'invalid_url');
    }
  });

  test('other schemes are refused', () => {
    for (const text of [
      'ftp://a.example/x',
      's3://bucket/x',
      'httpx://a.example/',
      'javascript:alert(1)',
      'blob:x',
    ]) {
      throwsWith(() => parseMediaUrl(text), 'url_scheme_refused');
    }
    throwsWith(() => parseRedirect('file:///etc/passwd', new URL('http://a.example/')), 'url_scheme_refused');
    throwsWith(
      () => parseRedirect('data:image/png;base64,AA', new URL('http://a.example/')),
      'url_scheme_refused',
    );
  });

  test('schemes are told apart without regard to case', () => {
    assert.equal(parseMediaUrl('DaTa:,x').kind, 'data');
    assert.equal(parseMediaUrl('HTTPS://a.example/').kind, 'http');
    assert.equal(parseMediaUrl('FILE:///x').kind, 'file');
  });
});

describe('allowed domains', () => {
  const guard = new UrlGuard(policyWith({ allowedMediaDomains: ['Allowed.example'] }));

  test('only the listed host itself passes', () => {
    guard.check(httpUrl('http://allowed.example/x'));
    guard.check(httpUrl('http://ALLOWED.example./x'));
    for (const host of [
      'sub.allowed.example',
      'allowed.example.evil.example',
      'xallowed.example',
      '8.8.8.8',
    ]) {
      throwsWith(() => guard.check(httpUrl(`http://${host}/`)), 'media_domain_refused');
    }
    throwsWith(() => guard.check(httpUrl('http://127.0.0.1#@allowed.example/')), 'media_domain_refused');
  });

  test('the host that is checked is the host that is dialled, for any spelling', () => {
    const pieces = [
      'allowed.example',
      '127.0.0.1',
      '@',
      '#',
      '?',
      '/',
      ':80',
      '%2e',
      '。',
      '[::1]',
      '..',
      ' ',
    ];
    let state = 1;
    const next = (): string => {
      state = (state * 1103515245 + 12345) % 2147483648;
      return pieces[state % pieces.length] as string;
    };
    for (let i = 0; i < 10_000; i++) {
      const text = `http://${next()}${next()}${next()}${next()}/`;
      let url: URL;
      try {
        url = httpUrl(text);
        guard.check(url);
      } catch {
        continue;
      }
      assert.match(url.hostname, /^allowed\.example\.?$/, text);
      assert.equal(new URL(url.href).hostname, url.hostname);
    }
  });
});

describe('name lookup', () => {
  function lookupWith(
    answers: LookupAddress[],
    allowPrivateMediaAddresses = false,
  ): Promise<LookupAddress[]> {
    const guard = new UrlGuard(policyWith({ allowPrivateMediaAddresses }), (_host, _options, callback) =>
      callback(null, answers),
    );
    return new Promise((resolve, reject) => {
      guard.lookup('a.example', { all: true }, (error, addresses) =>
        error ? reject(error) : resolve(addresses as LookupAddress[]),
      );
    });
  }

  const PUBLIC = { address: '8.8.8.8', family: 4 };
  const LOOPBACK = { address: '127.0.0.1', family: 4 };

  test('private answers are dropped, and refused where nothing else is left', async () => {
    assert.deepEqual(await lookupWith([LOOPBACK, PUBLIC]), [PUBLIC]);
    await assert.rejects(lookupWith([LOOPBACK, { address: '::1', family: 6 }]), {
      code: 'media_address_refused',
    });
    await assert.rejects(lookupWith([]), { code: 'media_address_refused' });
    assert.deepEqual(await lookupWith([LOOPBACK], true), [LOOPBACK]);
  });
});

describe('domain lists', () => {
  test('take suffixes, which name what lies below and not the name itself', () => {
    const guard = new UrlGuard(
      policyWith({ allowedMediaDomains: ['*.a.example', 'b.example', '*.Ünï.example'] }),
    );
    for (const host of ['x.a.example', 'x.y.A.example.', 'b.example', 'x.ünï.example']) {
      guard.check(httpUrl(`http://${host}/`));
    }
    for (const host of ['a.example', 'xa.example', 'x.b.example', 'a.example.evil.example', '8.8.8.8']) {
      throwsWith(() => guard.check(httpUrl(`http://${host}/`)), 'media_domain_refused');
    }
  });

  test('never open private addresses', () => {
    const guard = new UrlGuard(policyWith({ allowedMediaDomains: ['127.0.0.1', 'localhost', '[::1]'] }));
    for (const host of ['127.0.0.1', 'localhost', '[::1]']) {
      throwsWith(() => guard.check(httpUrl(`http://${host}/`)), 'media_address_refused');
    }
  });

  test('are refused where an entry is no host', () => {
    for (const entry of [
      '',
      '*',
      '*.',
      'http://a.example',
      'a.example:80',
      'a.example/x',
      'u@a.example',
      'a.*.example',
    ]) {
      throwsWith(() => new UrlGuard(policyWith({ allowedMediaDomains: [entry] })), 'invalid_option');
    }
  });
});
