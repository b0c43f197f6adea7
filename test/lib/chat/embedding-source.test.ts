import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readEmbeddings, type EmbeddingSource } from '../../../lib/chat/embedding-source.js';
import { SensoriumError, type ErrorCode } from '../../../lib/errors.js';

const read = (value: unknown, isStrict = true): EmbeddingSource['tensors'] =>
  readEmbeddings(value, { modality: 'image', param: 'p', isStrict }).tensors;
const arrayOf = (data: number[], shape: number[]): object => ({ kind: 'array', array: { data, shape } });

function refuses(value: unknown, code: ErrorCode, param: string, isStrict = true): void {
  assert.throws(
    () => read(value, isStrict),
    (error: unknown) => {
      assert.ok(error instanceof SensoriumError);
      assert.deepEqual([error.code, error.param], [code, param], error.message);
      return true;
    },
  );
}

test('a text is the rows in base64', () => {
  assert.deepEqual(read('AAAA'), { embeddings: { kind: 'base64', text: 'AAAA' } });
});

test('an object names the rows as the page does, or plainly, and the extras by their own names', () => {
  for (const key of ['image_embeds', 'embeddings', 'embeds', 'image_embeddings']) {
    assert.deepEqual(
      read({ [key]: 'AAAA', image_grid_thw: 'BBBB', image_sizes: null }),
      {
        embeddings: { kind: 'base64', text: 'AAAA' },
        image_grid_thw: { kind: 'base64', text: 'BBBB' },
      },
      key,
    );
  }
});

test('camelCase names are those of the page', () => {
  const named = { embeddings: { kind: 'base64', text: 'AAAA' }, image_grid_thw: arrayOf([1, 8, 8], [3]) };
  assert.deepEqual(read({ imageEmbeds: 'AAAA', imageGridThw: [1, 8, 8] }, false), named);
});

test('millions of numbers in lists are left for later, with the shape that they seem to have', () => {
  const rows = Array.from({ length: 4000 }, (_, i) => Array.from({ length: 512 }, (_, j) => i + j / 512));
  const list = [rows];
  assert.deepEqual(read(list), { embeddings: { kind: 'list', numbers: { list, shape: [1, 4000, 512] } } });
});

test('numbers and lists of numbers are arrays with their shape', () => {
  const tensors = read({
    image_embeds: [
      [1, 2, 3],
      [4, 5, 6],
    ],
    image_grid_thw: [[1, 8, 8]],
    second_per_grid_ts: 0.5,
    image_sizes: [],
  });
  assert.deepEqual(tensors, {
    embeddings: arrayOf([1, 2, 3, 4, 5, 6], [2, 3]),
    image_grid_thw: arrayOf([1, 8, 8], [1, 3]),
    second_per_grid_ts: arrayOf([0.5], []),
    image_sizes: arrayOf([], [0]),
  });
});

test('in process files and arrays with a shape are taken as well', () => {
  const bytes = new Uint8Array([1, 2, 3]);
  const array = { data: new Float32Array(6), shape: [2, 3] };
  assert.deepEqual(read(bytes, false), { embeddings: { kind: 'file', bytes } });
  assert.deepEqual(read(bytes.buffer, false), { embeddings: { kind: 'file', bytes } });
  assert.deepEqual(read(array, false), { embeddings: { kind: 'array', array } });
  assert.deepEqual(read({ image_embeds: array, image_grid_thw: bytes }, false), {
    embeddings: { kind: 'array', array },
    image_grid_thw: { kind: 'file', bytes },
  });
});

test('names that disturb objects stay names', () => {
  const tensors = read(JSON.parse('{ "image_embeds": "AAAA", "__proto__": "BBBB", "constructor": "CCCC" }'));
  assert.deepEqual(Object.keys(tensors).sort(), ['__proto__', 'constructor', 'embeddings']);
  assert.equal(Object.getPrototypeOf(tensors), Object.prototype);
});

test('what is no tensor is refused by its name', () => {
  refuses(true, 'invalid_type', 'p');
  refuses('', 'missing_field', 'p');
  refuses({}, 'missing_field', 'p.image_embeds');
  refuses({ image_embeds: null }, 'missing_field', 'p.image_embeds');
  refuses({ video_embeds: 'AAAA' }, 'missing_field', 'p.image_embeds');
  refuses({ image_embeds: '' }, 'missing_field', 'p.image_embeds');
  refuses({ image_embeds: {} }, 'invalid_type', 'p.image_embeds');
  refuses({ image_embeds: 'AAAA', image_grid_thw: false }, 'invalid_type', 'p.image_grid_thw');
  refuses({ image_embeds: 'AAAA', image_grid_thw: ['a'] }, 'invalid_type', 'p.image_grid_thw');
  refuses({ image_embeds: 'AAAA', image_grid_thw: [[1, 2], [3]] }, 'invalid_embedding', 'p.image_grid_thw');
  refuses({ image_embeds: 'AAAA', image_grid_thw: [[1, 2], 3] }, 'invalid_embedding', 'p.image_grid_thw');
  refuses({ image_embeds: 'AAAA', image_grid_thw: [[[[[1]]]]] }, 'invalid_type', 'p.image_grid_thw');
  refuses(new Uint8Array(3), 'invalid_type', 'p');
  refuses({ data: new Uint8Array(3), shape: [3] }, 'missing_field', 'p.image_embeds', false);
});
