import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeBase64, decodeDataUrl } from '../../../lib/media/data-url.js';
import { rejectsWith } from './support/errors.js';

const MAX = 4 * 1024 * 1024;
const decode = (text: string, maxBytes = MAX): Promise<Buffer> => decodeDataUrl(text, 'image', maxBytes);

describe('data URLs', () => {
  test('base64, in every spelling of the marker', async () => {
    for (const header of [
      'data:image/png;base64',
      'DATA:;BASE64',
      'data:image/png;charset=utf-8; Base64',
      'data:;base64',
    ]) {
      assert.equal((await decode(`${header},aGVsbG8=`)).toString(), 'hello');
    }
    assert.equal((await decode('data:;base64,aGVsbG8')).toString(), 'hello', 'padding may be missing');
    assert.equal((await decode('data:;base64,aGVsbG8%3D')).toString(), 'hello', 'padding may be escaped');
    assert.equal((await decode('data:;base64,')).length, 0);
  });

  test('percent-encoded bodies', async () => {
    assert.deepEqual(
      await decode('data:text/plain,a%00%ffb%zz'),
      Buffer.from([0x61, 0, 255, 0x62, 0x25, 0x7a, 0x7a]),
    );
  });

  test('what is not base64 is refused', async () => {
    const inputs = [
      'a',
      'aGVsbG8=x',
      'aGVs bG8=',
      'aGVs\nbG8=',
      'aGVs-G8=',
      'aGVs_G8=',
      '====',
      'a===',
      '@@@@',
      'aGVsé',
      'ab=c',
    ];
    for (const text of inputs) await rejectsWith(decodeBase64(text, 'image', MAX), 'invalid_url');
    await rejectsWith(decode('data:image/png;base64'), 'invalid_url');
    await rejectsWith(decode(`data:${'x'.repeat(5000)},a`), 'invalid_url');
  });

  test('long inputs decode to the same bytes, in turns', async () => {
    const bytes = Buffer.alloc(2_000_001, 'sensorium');
    let hasTurned = false;
    setImmediate(() => (hasTurned = true));
    assert.ok((await decode(`data:;base64,${bytes.toString('base64')}`)).equals(bytes));
    assert.ok(hasTurned);
  });

  test('sizes are checked before decoding', async () => {
    await rejectsWith(decode(`data:;base64,${'A'.repeat(4004)}`, 3000), 'media_too_large');
    assert.equal((await decode(`data:;base64,${'A'.repeat(4000)}`, 3000)).length, 3000);
    await rejectsWith(decode(`data:,${'a'.repeat(3001)}`, 3000), 'media_too_large');
    await rejectsWith(decode(`data:,${'%41'.repeat(3001)}`, 3000), 'media_too_large');
  });
});
