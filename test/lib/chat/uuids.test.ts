import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseMessages } from '../../../lib/chat/parts.js';
import { SensoriumError } from '../../../lib/errors.js';
import type { MediaPart } from '../../../lib/media/types.js';
import type { ContentPart } from '../../../lib/request/types.js';
import { RULES } from './support.js';

type Part = Record<string, unknown>;

function parsePart(part: Part, isStrict = true): ContentPart[] {
  const { messages } = parseMessages([{ role: 'user', content: [part] }], { rules: RULES, isStrict });
  return messages[0]!.content;
}

function mediaOf(part: Part, isStrict = true): MediaPart {
  const [parsed] = parsePart(part, isStrict);
  assert.ok(parsed?.type === 'media');
  return parsed.media;
}

function assertRefused(part: Part, code: string, param: string): void {
  assert.throws(
    () => parsePart(part),
    (error: unknown) => error instanceof SensoriumError && error.code === code && error.param === param,
  );
}

const PAYLOAD_KEYS: [key: string, modality: string][] = [
  ['image_url', 'image'],
  ['image_pil', 'image'],
  ['image', 'image'],
  ['image_embeds', 'image'],
  ['audio_url', 'audio'],
  ['input_audio', 'audio'],
  ['audio', 'audio'],
  ['audio_embeds', 'audio'],
  ['video_url', 'video'],
  ['video', 'video'],
  ['video_embeds', 'video'],
];

describe('a uuid without media', () => {
  for (const [key, modality] of PAYLOAD_KEYS) {
    test(`${key}: null, {}, absent, null inside, or empty; with and without a type`, () => {
      for (const payload of [null, {}, undefined, { url: null }, { url: '' }, { detail: 'low' }, '']) {
        for (const part of [
          { type: key, [key]: payload, uuid: 'u' },
          { [key]: payload, uuid: 'u' },
        ]) {
          for (const isStrict of [true, false]) {
            const media = mediaOf(part, isStrict);
            assert.equal(media.modality, modality);
            assert.equal(media.uuid, 'u');
            assert.equal(media.source, undefined);
          }
        }
      }
    });
  }

  test('the type alone is enough; a sound may still say its format', () => {
    assert.equal(mediaOf({ type: 'video_url', uuid: 'u' }).modality, 'video');
    assert.equal(mediaOf({ type: 'input_image', uuid: 'u' }).modality, 'image');
    const sound = mediaOf({ type: 'input_audio', input_audio: { data: null, format: 'wav' }, uuid: 'u' });
    assert.equal(sound.source, undefined);
  });

  test('without a uuid the data is missed by its name', () => {
    for (const [key] of PAYLOAD_KEYS) {
      for (const payload of [null, undefined, '']) {
        assertRefused(
          { type: key, [key]: payload, uuid: null },
          'missing_field',
          `messages[0].content[0].${key}`,
        );
      }
    }
  });
});

describe('a uuid beside media', () => {
  const url = 'https://e.x/a';

  test('objects and bare strings', () => {
    for (const key of ['image_url', 'audio_url', 'video_url']) {
      for (const payload of [{ url }, url]) {
        const media = mediaOf({ type: key, [key]: payload, uuid: 'u' });
        assert.deepEqual(media.source, { kind: 'url', url });
        assert.equal(media.uuid, 'u');
      }
    }
  });

  test('embeddings keep their tensors', () => {
    const media = mediaOf({
      type: 'image_embeds',
      image_embeds: { image_embeds: 'AAAA', image_grid_thw: 'BBBB' },
      uuid: 'u',
    });
    assert.ok(media.source?.kind === 'embeddings');
    assert.deepEqual(Object.keys(media.source.tensors).sort(), ['embeddings', 'image_grid_thw']);
  });

  test('the key that holds the payload decides where the type says otherwise', () => {
    assert.equal(mediaOf({ type: 'image_url', video_url: { url }, uuid: 'u' }).modality, 'video');
    assert.equal(mediaOf({ type: 'text', image_url: null, uuid: 'u' }).modality, 'image');
    assert.equal(mediaOf({ type: 'something', audio_url: url, uuid: 'u' }).modality, 'audio');
    assert.equal(
      mediaOf({ type: 'image_url', image_url: null, video_url: { url }, uuid: 'u' }).modality,
      'video',
    );
  });

  test('a text with a uuid stays a text', () => {
    for (const part of [
      { type: 'text', text: 'x', uuid: '1' },
      { text: 'x', uuid: '1' },
    ]) {
      assert.deepEqual(parsePart(part), [{ type: 'text', text: 'x' }]);
    }
  });

  test('a uuid inside the payload is none', () => {
    assert.equal(mediaOf({ type: 'image_url', image_url: { url, uuid: 'inside' } }).uuid, undefined);
  });
});

describe('what a uuid may be', () => {
  const uuidOf = (uuid: unknown): string | undefined =>
    mediaOf({ type: 'image_url', image_url: null, uuid }).uuid;
  const param = 'messages[0].content[0].uuid';

  test('numbers become text; odd characters are kept', () => {
    assert.equal(uuidOf(7), '7');
    assert.equal(uuidOf(0), '0');
    for (const uuid of [
      '__proto__',
      'constructor',
      'a\u0000b',
      'a\nb',
      '../x',
      ' ',
      '\ufeff',
      'é',
      '😀'.repeat(256),
    ]) {
      assert.equal(uuidOf(uuid), uuid);
    }
  });

  test('1 to 256 characters of well-formed text, nothing else', () => {
    assert.equal(uuidOf('x'.repeat(256))?.length, 256);
    for (const uuid of ['', 'x'.repeat(257), '😀'.repeat(257), '\ud800', 'a\udfff']) {
      assertRefused({ type: 'image_url', image_url: null, uuid }, 'invalid_value', param);
    }
    for (const uuid of [true, {}, [], ['a']]) {
      assertRefused({ type: 'image_url', image_url: null, uuid }, 'invalid_type', param);
    }
  });
});
