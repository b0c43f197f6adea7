import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseMessages } from '../../../lib/chat/parts.js';
import { SensoriumError } from '../../../lib/errors.js';
import type { MediaRules } from '../../../lib/llm/types.js';

const IMAGE = { type: 'image_url', image_url: { url: 'https://e.x/a' } };
const VIDEO = { type: 'video_url', video_url: { url: 'https://e.x/a' } };
const EMBEDS = { type: 'image_embeds', image_embeds: 'AAAA' };

function rulesOf(image: number, hasEmbeddings = false): MediaRules {
  return { modalities: ['image'], limits: { image, video: 0, audio: 0 }, hasEmbeddings };
}

function parse(rules: MediaRules, ...contents: unknown[][]): number {
  const messages = contents.map((content) => ({ role: 'user', content }));
  return parseMessages(messages, { rules, isStrict: true }).messages.flatMap(({ content }) => content).length;
}

function errorOf(action: () => unknown): SensoriumError {
  try {
    action();
  } catch (error) {
    if (error instanceof SensoriumError) return error;
    throw error;
  }
  throw new Error('Nothing was refused.');
}

test('parts count over the whole conversation; the first one too many is named', () => {
  const error = errorOf(() => parse(rulesOf(2), [IMAGE, IMAGE], [{ type: 'text', text: 'x' }, IMAGE]));
  assert.equal(error.code, 'too_many_media');
  assert.equal(error.param, 'messages[1].content[1]');
  assert.equal(
    error.message,
    'At most 2 image(s) may be provided in one prompt. Set `--limit-mm-per-prompt` to increase this limit.',
  );
  assert.deepEqual(error.details, { modality: 'image', limit: 2 });
});

test('parts known by uuid count like those with data', () => {
  const known = { type: 'image_url', image_url: null, uuid: 'u' };
  assert.equal(parse(rulesOf(2), [known, known]), 2);
  assert.equal(errorOf(() => parse(rulesOf(2), [known, known, known])).code, 'too_many_media');
});

test('a modality that the model does not take has a limit of 0 and no advice', () => {
  const error = errorOf(() => parse(rulesOf(2), [VIDEO]));
  assert.equal(error.code, 'unsupported_modality');
  assert.match(
    error.message,
    /^At most 0 video\(s\) may be provided in one prompt: this model takes text, image only\.$/,
  );
});

test('embeddings need their flag, and count like raw parts', () => {
  const error = errorOf(() => parse(rulesOf(2), [EMBEDS]));
  assert.equal(error.code, 'unsupported_modality');
  assert.equal(error.param, 'messages[0].content[0]');
  assert.equal(error.message, 'You must set `--enable-mm-embeds` to input `image_embeds`.');
  assert.equal(parse(rulesOf(2, true), [EMBEDS, IMAGE]), 2);
  assert.equal(errorOf(() => parse(rulesOf(2, true), [EMBEDS, IMAGE, EMBEDS])).code, 'too_many_media');
});

test('a limit of 0 with embeddings enabled takes embeddings and refuses the rest', () => {
  assert.equal(parse(rulesOf(0, true), [EMBEDS, EMBEDS]), 2);
  assert.equal(parse(rulesOf(0, true), [{ type: 'image_embeds', image_embeds: null, uuid: 'u' }]), 1);
  assert.match(errorOf(() => parse(rulesOf(0, true), [IMAGE])).message, /^At most 0 image\(s\)/);
  assert.equal(errorOf(() => parse(rulesOf(0), [EMBEDS])).code, 'unsupported_modality');
});

test('256 media parts are the most, whatever the limits say; texts may be more', () => {
  const images = (count: number): unknown[] => Array.from({ length: count }, () => IMAGE);
  const texts = Array.from({ length: 300 }, () => 'text');
  assert.equal(parse(rulesOf(999), [...images(256), ...texts]), 556);
  const error = errorOf(() => parse(rulesOf(999), images(200), images(57)));
  assert.equal(error.code, 'too_many_media');
  assert.equal(error.param, 'messages[1].content[56]');
  assert.equal(error.message, 'At most 256 media parts may be provided in one prompt.');
});
