import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeSpeed, printable } from '../../../lib/cli/print.js';
import { scrub } from '../../../lib/server/log.js';
import type { RequestResult } from '../../../lib/engine/types.js';

test('text of a model cannot steer the terminal', () => {
  assert.equal(printable('a\u001b[2Jb\u0007\r\n\tc\u009b'), 'a[2Jb\n\tc');
});

test('speed counts the tokens after the first', () => {
  const result = { usage: { completionTokens: 11 }, timings: { decodeMs: 100, timeToFirstTokenMs: 41.4 } };
  assert.equal(describeSpeed(result as RequestResult), '11 tokens, 100.0 tokens/s, first after 41 ms');
});

test('logs hold no passwords of URLs and no payloads', () => {
  const text = 'get http://me:secret@host/a?b and data:image/png;base64,iVBORw0KGgo= failed';
  assert.equal(scrub(text), 'get http://host/a?b and data:image/png,(left out) failed');
});
