import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidArgumentError } from 'commander';
import * as values from '../../../lib/cli/values.js';

test('whole numbers and fractions in their range', () => {
  const port = values.wholeNumber(0, 65535);
  assert.equal(port('8000'), 8000);
  for (const text of ['', ' ', 'x', '1.5', '-1', '65536', 'NaN', 'Infinity']) {
    assert.throws(() => port(text), InvalidArgumentError, text);
  }
  assert.equal(values.numberFrom(0)('0.25'), 0.25);
  assert.throws(() => values.numberFrom(0)('-0.1'), /at least 0/);
  assert.throws(() => values.numberFrom(0, 2)('2.5'), /from 0 to 2/);
});

test('lists grow with every use', () => {
  assert.deepEqual(values.appendList('b, c,', ['a']), ['a', 'b', 'c']);
  assert.deepEqual(values.append('x,y'), ['x,y']);
  assert.throws(() => values.append(''), InvalidArgumentError);
});

test('limits of media parts, short and long form', () => {
  const long = { image: 2, video: { count: 1, num_frames: 8 } };
  assert.deepEqual(values.modalityLimits(JSON.stringify(long)), long);
  assert.deepEqual(values.modalityLimits('image=2, video=1'), { image: 2, video: 1 });
  assert.deepEqual(values.modalityLimits('{"video":{"count":3}}', long), {
    image: 2,
    video: { count: 3, num_frames: 8 },
  });
  for (const text of [
    '[]',
    '{',
    '{"image":-1}',
    '{"image":1.5}',
    '{"smell":1}',
    '{"video":{}}',
    '{"video":{"count":-1}}',
    '{"video":{"smell":1}}',
    'image=2,video',
    '3',
    'null',
  ]) {
    assert.throws(() => values.modalityLimits(text), InvalidArgumentError, text);
  }
});

test('options by modality', () => {
  assert.deepEqual(values.modalityOptions('{"video":{"fps":2}}'), { video: { fps: 2 } });
  assert.deepEqual(values.modalityOptions('{"video":{"num_frames":4}}', { video: { fps: 2 } }), {
    video: { fps: 2, num_frames: 4 },
  });
  assert.deepEqual(values.mergedJsonObject('{"a":{"c":1}}', { a: { b: 2 } }), { a: { b: 2, c: 1 } });
  for (const text of ['{"video":2}', '{"smell":{}}', '{"image":null}']) {
    assert.throws(() => values.modalityOptions(text), InvalidArgumentError, text);
  }
});

test('folders and files must exist', () => {
  assert.throws(() => values.folder('/nowhere/at/all'), /does not exist/);
  assert.throws(() => values.folder(process.execPath), /must be a directory/);
  assert.throws(() => values.file('/nowhere/at/all'), /There is no file/);
  assert.deepEqual(values.file(process.execPath, ['a']), ['a', process.execPath]);
});
