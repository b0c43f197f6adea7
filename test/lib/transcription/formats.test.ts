import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toSrt, toVerboseJson, toVtt } from '../../../lib/transcription/formats.js';
import type { Transcription, TranscriptionSegment } from '../../../lib/transcription/types.js';

const segment = (id: number, start: number, end: number, text: string): TranscriptionSegment => ({
  id,
  seek: 0,
  start,
  end,
  text,
  tokens: [id],
  temperature: 0,
  avgLogprob: -0.5,
  compressionRatio: 1.25,
});

const TALK: Transcription = {
  text: ' Hello.  world',
  task: 'transcribe',
  language: 'en',
  duration: 3725.4,
  segments: [
    segment(0, 0, 1.5, ' Hello.'),
    segment(1, 2, 2.5, '  '),
    segment(2, 3661.0004, 3725.3996, '\n world -->\n on two lines '),
  ],
  usage: { promptTokens: 4, completionTokens: 9 },
};

test('SubRip numbers what is said and writes times with a comma', () => {
  assert.equal(
    toSrt(TALK),
    '1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n' +
      '2\n01:01:01,000 --> 01:02:05,400\nworld -> on two lines\n',
  );
});

test('WebVTT has a head, writes times with a point, and no text can pass for a time', () => {
  assert.equal(
    toVtt(TALK),
    'WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello.\n\n' +
      '01:01:01.000 --> 01:02:05.400\nworld -> on two lines\n',
  );
});

test('silence makes empty subtitles', () => {
  assert.equal(toSrt({ ...TALK, segments: [] }), '');
  assert.equal(toVtt({ ...TALK, segments: [] }), 'WEBVTT\n\n');
});

test('verbose JSON has the shape of OpenAI, times in milliseconds at the finest', () => {
  const body = toVerboseJson(TALK) as Record<string, unknown> & { segments: Record<string, unknown>[] };
  assert.deepEqual(Object.keys(body), ['task', 'language', 'duration', 'text', 'segments', 'usage']);
  assert.deepEqual(body['usage'], { type: 'duration', seconds: 3726 });
  assert.deepEqual(body.segments[2], {
    id: 2,
    seek: 0,
    start: 3661,
    end: 3725.4,
    text: '\n world -->\n on two lines ',
    tokens: [2],
    temperature: 0,
    avg_logprob: -0.5,
    compression_ratio: 1.25,
    no_speech_prob: 0,
  });
});

test('verbose JSON tells words where there are some, and segments unless they are not wanted', () => {
  const words = [
    { word: ' Hello.', start: 0, end: 0.5800000000000001 },
    { word: '  world', start: 0.58, end: 1.02 },
    { word: ' ', start: 1.02, end: 1.02 },
  ];
  const body = toVerboseJson({ ...TALK, words }) as Record<string, unknown>;
  assert.deepEqual(body['words'], [
    { word: 'Hello.', start: 0, end: 0.58 },
    { word: 'world', start: 0.58, end: 1.02 },
  ]);
  assert.ok('segments' in body);
  const bare = toVerboseJson({ ...TALK, words: [] }, false) as Record<string, unknown>;
  assert.deepEqual(Object.keys(bare), ['task', 'language', 'duration', 'text', 'words', 'usage']);
});
