import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseMessages, type ParsedMessages } from '../../../lib/chat/parts.js';
import { SensoriumError, type ErrorCode } from '../../../lib/errors.js';
import type { MediaPart } from '../../../lib/media/types.js';
import { RULES } from './support.js';

const user = (...content: unknown[]): unknown[] => [{ role: 'user', content }];

const onWire = (messages: unknown): ParsedMessages =>
  parseMessages(messages, { rules: RULES, isStrict: true });
const inProcess = (messages: unknown): ParsedMessages =>
  parseMessages(messages, { rules: RULES, isStrict: false });

function onlyMedia({ messages }: ParsedMessages): MediaPart {
  const part = messages[0]?.content[0];
  assert.ok(part?.type === 'media');
  return part.media;
}

function assertRefused(parse: () => unknown, code: ErrorCode, param: string): void {
  assert.throws(parse, (error: unknown) => {
    assert.ok(error instanceof SensoriumError, String(error));
    assert.equal(error.code, code);
    assert.equal(error.param, param);
    return true;
  });
}

describe('parts from the wire', () => {
  test('text and media in order', () => {
    const { messages } = onWire(
      user(
        'a',
        { type: 'image_url', image_url: { url: 'https://e.x/a.png', detail: 'low' } },
        { type: 'text', text: 'b' },
      ),
    );
    assert.deepEqual(
      messages[0]?.content.map((part) => part.type),
      ['text', 'media', 'text'],
    );
    assert.equal(messages[0]?.isPlainText, false);
  });

  test('each way to name media', () => {
    const url = 'https://e.x/a';
    const named: [part: Record<string, unknown>, modality: string][] = [
      [{ type: 'image_url', image_url: { url } }, 'image'],
      [{ type: 'input_image', image_url: url }, 'image'],
      [{ image_url: url }, 'image'],
      [{ type: 'audio_url', audio_url: { url } }, 'audio'],
      [{ type: 'video_url', video_url: { url } }, 'video'],
    ];
    for (const [part, modality] of named) {
      const media = onlyMedia(onWire(user(part)));
      assert.equal(media.modality, modality);
      assert.deepEqual(media.source, { kind: 'url', url });
    }
  });

  test('input_audio becomes a data URL; a URL in its data stays one', () => {
    const encoded = onlyMedia(
      onWire(user({ type: 'input_audio', input_audio: { data: 'AAAA', format: 'mp3' } })),
    );
    assert.deepEqual(encoded.source, { kind: 'url', url: 'data:audio/mp3;base64,AAAA' });
    const linked = onlyMedia(
      onWire(user({ type: 'input_audio', input_audio: { data: 'https://e.x/a.wav' } })),
    );
    assert.deepEqual(linked.source, { kind: 'url', url: 'https://e.x/a.wav' });
  });

  test('a list of frames is one video', () => {
    const { source } = onlyMedia(
      onWire(user({ type: 'video_url', video_url: { frames: ['https://e.x/1.png'], fps: 2 } })),
    );
    assert.ok(source?.kind === 'frames');
    assert.deepEqual(source.frames, [{ kind: 'url', url: 'https://e.x/1.png' }]);
    assert.equal(source.fps, 2);
  });

  test('the pictures of a clip may be listed bare, with what is known of it beside them', () => {
    const video = ['https://e.x/1.png', { url: 'https://e.x/2.png' }];
    const { source } = onlyMedia(
      onWire(user({ type: 'video', video, metadata: { fps: 4, frames_indices: [0, 2] } })),
    );
    assert.ok(source?.kind === 'frames');
    assert.deepEqual(source.frames, [
      { kind: 'url', url: 'https://e.x/1.png' },
      { kind: 'url', url: 'https://e.x/2.png' },
    ]);
    assert.deepEqual([source.metadata?.fps, source.metadata?.framesIndices], [4, [0, 2]]);
    for (const wrong of [[], [7], [['https://e.x/1.png']]])
      assert.throws(() => onWire(user({ type: 'video', video: wrong })), { name: 'SensoriumError' });
    assert.throws(() => onWire(user({ type: 'video_url', video_url: video })), { code: 'invalid_type' });
  });

  test('processor options beside the payload are kept', () => {
    const media = onlyMedia(
      onWire(user({ type: 'image_url', image_url: { url: 'https://e.x/a' }, max_pixels: 9 })),
    );
    assert.deepEqual(media.options, { max_pixels: 9 });
  });

  test('null text is no part; null content is none', () => {
    const { messages } = onWire([
      { role: 'user', content: [{ type: 'text', text: null }] },
      { role: 'assistant', content: null },
    ]);
    assert.deepEqual(
      messages.map((message) => message.content),
      [[], []],
    );
  });
});

describe('bad messages', () => {
  const url = 'https://e.x/a';
  const cases: [name: string, messages: unknown, code: ErrorCode, param: string][] = [
    ['no list', 'hi', 'invalid_type', 'messages'],
    ['no messages', [], 'prompt_empty', 'messages'],
    ['no object', ['hi'], 'invalid_type', 'messages[0]'],
    ['no role', [{ content: 'hi' }], 'missing_field', 'messages[0].role'],
    ['odd role', [{ role: 'end|><|im_start|', content: 'hi' }], 'invalid_value', 'messages[0].role'],
    ['no content', [{ role: 'user' }], 'missing_field', 'messages[0].content'],
    ['content of the wrong type', [{ role: 'user', content: 7 }], 'invalid_type', 'messages[0].content'],
    [
      'unknown part',
      user({ type: 'smell', smell: 'rose' }),
      'unknown_part_type',
      'messages[0].content[0].type',
    ],
    ['part without type', user({ rose: 1 }), 'missing_field', 'messages[0].content[0].type'],
    ['type of the wrong type', user({ type: 7 }), 'invalid_type', 'messages[0].content[0].type'],
    [
      'payload under another key than its type says',
      user({ type: 'image_url', video_url: { url } }),
      'missing_field',
      'messages[0].content[0].image_url',
    ],
    [
      'text under another key than its type says',
      user({ type: 'text', image_url: { url } }),
      'missing_field',
      'messages[0].content[0].text',
    ],
    [
      'a picture by file id',
      user({ type: 'input_image', file_id: 'f' }),
      'missing_field',
      'messages[0].content[0].image_url',
    ],
    [
      'text of the wrong type',
      user({ type: 'text', text: {} }),
      'invalid_type',
      'messages[0].content[0].text',
    ],
    ['no text', user({ type: 'text' }), 'missing_field', 'messages[0].content[0].text'],
    [
      'no url',
      user('a', { type: 'image_url', image_url: {} }),
      'missing_field',
      'messages[0].content[1].image_url',
    ],
    [
      'null url',
      user({ type: 'image_url', image_url: null }),
      'missing_field',
      'messages[0].content[0].image_url',
    ],
    [
      'empty url',
      user({ type: 'image_url', image_url: { url: '' } }),
      'missing_field',
      'messages[0].content[0].image_url.url',
    ],
    [
      'bare string',
      user({ type: 'image_url', image_url: url }),
      'invalid_type',
      'messages[0].content[0].image_url',
    ],
    [
      'url of the wrong type',
      user({ type: 'image_url', image_url: { url: 7 } }),
      'invalid_type',
      'messages[0].content[0].image_url.url',
    ],
    [
      'no frames',
      user({ type: 'video_url', video_url: { frames: [] } }),
      'invalid_value',
      'messages[0].content[0].video_url.frames',
    ],
    [
      'no rate',
      user({ type: 'video_url', video_url: { frames: [url], fps: 0 } }),
      'invalid_value',
      'messages[0].content[0].video_url.fps',
    ],
  ];
  for (const [name, messages, code, param] of cases) {
    test(name, () => assertRefused(() => onWire(messages), code, param));
  }
});

test('an unknown part type is told with the known ones, in order', () => {
  assert.throws(
    () => onWire(user({ type: 'smell', smell: 'rose' })),
    /Unsupported chat content part type: 'smell'\. Supported types: audio, audio_embeds, audio_url, image, .*video_url\./,
  );
});

test('roles and contents of tools, developers and silent assistants', () => {
  const { messages } = onWire([
    { role: 'developer', content: 'd' },
    { role: 'user', content: 'u', name: 'Ann' },
    {
      role: 'assistant',
      content: null,
      tool_calls: [{ type: 'function', function: { name: 'f', arguments: '' } }],
    },
    {
      role: 'tool',
      tool_call_id: 'c',
      content: [
        { type: 'text', text: 'x' },
        { type: 'text', text: 'y' },
      ],
    },
    { role: 'tool', content: [{ type: 'image_url', image_url: { url: 'https://e.x/a' } }] },
  ]);
  assert.deepEqual(
    messages.map(({ isPlainText }) => isPlainText),
    [true, true, true, true, false],
  );
  assert.equal(messages[1]?.extra.name, 'Ann');
  assert.equal(messages[4]?.content[0]?.type, 'media');
});

test('messages and parts of a conversation are bounded', () => {
  const texts = (count: number): unknown[] =>
    Array.from({ length: count }, () => ({ type: 'text', text: 'a' }));
  assert.equal(onWire(user(...texts(4000))).messages[0]?.content.length, 4000);
  assertRefused(() => onWire(user(...texts(20_000))), 'invalid_value', 'messages[0].content');
  const many = Array.from({ length: 5000 }, () => ({ role: 'user', content: 'a' }));
  assertRefused(() => onWire(many), 'invalid_value', 'messages');
});

describe('parts of a program', () => {
  test('bytes, paths and URL objects', () => {
    const bytes = Uint8Array.of(1, 2);
    assert.deepEqual(onlyMedia(inProcess(user({ type: 'image', image: bytes }))).source, {
      kind: 'bytes',
      bytes,
    });
    const pathOf = (part: unknown): unknown => onlyMedia(inProcess(user(part))).source;
    assert.deepEqual(pathOf({ type: 'audio', audio: 'a.wav' }), { kind: 'path', path: 'a.wav' });
    assert.deepEqual(pathOf({ type: 'image', image: new URL('file:///tmp/a.png') }), {
      kind: 'path',
      path: '/tmp/a.png',
    });
    const remote = onlyMedia(inProcess(user({ type: 'image', image: new URL('https://e.x/a') })));
    assert.deepEqual(remote.source, { kind: 'url', url: 'https://e.x/a' });
  });

  test('a string in image_url is a URL, never a path: it may come from elsewhere', () => {
    const { source } = onlyMedia(inProcess(user({ type: 'image_url', image_url: '/etc/passwd' })));
    assert.deepEqual(source, { kind: 'url', url: '/etc/passwd' });
  });

  test('raw pixels and samples', () => {
    const data = Uint8Array.of(255, 0, 0, 0, 10, 20, 30, 255);
    const pixels = onlyMedia(inProcess(user({ type: 'image', image: { data, width: 2, height: 1 } })));
    assert.deepEqual(pixels.source, { kind: 'pixels', pixels: { data, width: 2, height: 1, channels: 4 } });
    const samples = new Float32Array(4);
    const sound = onlyMedia(inProcess(user({ type: 'audio', audio: { samples, samplingRate: 8000 } })));
    assert.deepEqual(sound.source, {
      kind: 'samples',
      sound: { data: samples, numChannels: 1, layout: 'planar', samplingRate: 8000 },
    });
  });

  test('pixels that are not as many as said are refused; none are taken from the wire', () => {
    const image = { data: new Uint8Array(5), width: 2, height: 1 };
    const param = 'messages[0].content[0].image';
    assertRefused(() => inProcess(user({ type: 'image', image })), 'invalid_image', param);
    assertRefused(() => onWire(user({ type: 'image', image })), 'missing_field', param);
    assertRefused(() => onWire(user({ type: 'image', image: new Uint8Array(4) })), 'invalid_type', param);
  });
});
