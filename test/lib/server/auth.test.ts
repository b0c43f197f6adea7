import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ROUTES } from '../../../lib/server/route-table.js';
import { readJson, startServer } from './support/harness.js';

test('every route but /health asks for a key, unknown ones too', async (t) => {
  const { url } = await startServer(t, {}, { apiKeys: ['secret'] });
  const paths = ROUTES.map(({ path, method }) => ({ method, path: path.replace('*name', 'stub') }));
  for (const { path, method } of [
    ...paths,
    { method: 'GET', path: '/nowhere' },
    { method: 'DELETE', path: '/version' },
  ]) {
    const response = await fetch(url + path, { method });
    if (path === '/health') {
      assert.equal(response.status, 200);
      continue;
    }
    assert.equal(response.status, 401, path);
    assert.equal(response.headers.get('www-authenticate'), 'Bearer');
    assert.equal((await readJson(response)).error.code, 'invalid_api_key');
  }
});

test('any of several keys opens, near misses do not', async (t) => {
  const { url } = await startServer(t, {}, { apiKeys: ['one', 'two'] });
  const statusWith = async (authorization: string): Promise<number> =>
    (await fetch(`${url}/v1/models`, { headers: { authorization } })).status;
  for (const header of ['Bearer one', 'bearer two']) assert.equal(await statusWith(header), 200);
  for (const header of ['Bearer on', 'Bearer onee', 'one', 'Basic one', 'Bearer', 'Bearer one two']) {
    assert.equal(await statusWith(header), 401, header);
  }
});

test('x-request-id is taken when it is harmless and made when it is not', async (t) => {
  const { url } = await startServer(t);
  const idFor = async (id: string): Promise<string> => {
    const response = await fetch(`${url}/version`, { headers: { 'x-request-id': id } });
    return response.headers.get('x-request-id')!;
  };
  assert.equal(await idFor('abc-1.2:3_4'), 'abc-1.2:3_4');
  for (const id of ['a b', 'x'.repeat(129), '<script>', 'é'])
    assert.match(await idFor(id), /^req-[0-9a-f-]{36}$/);
});
