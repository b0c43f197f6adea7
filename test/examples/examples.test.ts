import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { NEEDS_FFMPEG } from '../lib/support/ffmpeg.js';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

const SHAPE_1 = 'a white rectangle on a gray background.';
const SHAPE_2 = 'a brown triangle and a gray ring on a blue background.';
const SHAPE_3 = 'a white triangle, a cyan star and a brown ring on a black background.';
const DIFFERENCES =
  'the first image shows a white rectangle. the second image shows a brown triangle and a gray ring.';
const CLIP = 'a pink heart moves from left to right.';
const SPEECH = 'the audio says "nine eight nine".';
const OUTPUT = 'Chat completion output';

/** Lines that each example prints: whole lines, or what a line must match. */
const EXPECTED: Record<string, (string | RegExp)[]> = {
  'describe-image': [SHAPE_2, /^\d+ image tokens, \d+ answer tokens$/, SHAPE_2],
  batch: ['the text says "TWVFX".', SPEECH, 'three beeps.'],
  'mounted-server': [SPEECH],
  'offline/stable-uuids': [DIFFERENCES],
  'offline/skip-by-uuid': ["media_cache_miss { index: 0, uuid: 'sku-1234-a' }", DIFFERENCES],
  'offline/single-image': [SHAPE_3, SHAPE_1, 'the text says "TWVFX".'],
  'offline/multi-image': [DIFFERENCES],
  'offline/chat-image-forms': [SHAPE_1, SHAPE_1, SHAPE_1, '192 image tokens'],
  'offline/video-captioning': [/pink heart/, '216 image tokens'],
  'offline/rgba-background': [
    'On black: a white square on a black background.',
    'On blue: a white square on a blue background.',
    'On blue: a white square on a blue background.',
  ],
  'offline/video-frames': [CLIP],
  'offline/video-pixel-limits': [CLIP, /^\d+ video tokens$/],
  'offline/audio-tuple': [SPEECH],
  'offline/stereo-audio': [`[2, 32141]: ${SPEECH}`, `[32141, 2]: ${SPEECH}`],
  'offline/image-embeds': [SHAPE_1],
  'offline/image-embeds-grid': [DIFFERENCES, DIFFERENCES],
  'offline/audio-embeds': [SPEECH],
  'serving/image-url': [`${OUTPUT}: ${SHAPE_1}`],
  'serving/local-image': [`${OUTPUT} from local image file: ${SHAPE_1}`],
  'serving/multi-image': [`${OUTPUT}: ${DIFFERENCES}`],
  'serving/video-url': [`${OUTPUT} from video url: ${CLIP}`],
  'serving/frame-recovery': [`${OUTPUT}: ${CLIP}`],
  'serving/rgba-background': ['On black: a white square on a black background.'],
  'serving/input-audio': [`${OUTPUT} from input audio: ${SPEECH}`],
  'serving/audio-url': [`${OUTPUT} from audio url: ${SPEECH}`],
  'serving/image-embeds': [SPEECH, SHAPE_1, DIFFERENCES],
  'serving/null-media': [SHAPE_1, SHAPE_1, CLIP, CLIP, SPEECH, SPEECH, SHAPE_2, SHAPE_2],
};
const FFMPEG_EXAMPLES = ['serving/frame-recovery'];

async function linesOf(example: string): Promise<string[]> {
  const env = { ...process.env };
  delete env['BASE_URL'];
  const script = `dist-test/examples/${example}.js`;
  const { stdout } = await promisify(execFile)(process.execPath, [script], { cwd: ROOT, env });
  return stdout.trimEnd().split('\n');
}

describe('examples', { concurrency: 2 }, () => {
  for (const [example, expected] of Object.entries(EXPECTED)) {
    test(example, FFMPEG_EXAMPLES.includes(example) ? NEEDS_FFMPEG : {}, async () => {
      const lines = await linesOf(example);
      assert.equal(lines.length, expected.length, lines.join('\n'));
      for (const [i, line] of expected.entries()) {
        if (typeof line === 'string') assert.equal(lines[i], line);
        else assert.match(lines[i] ?? '', line);
      }
    });
  }
});

test('every example is run, and the table of the page names those that exist', async () => {
  const files = (await readdir(`${ROOT}/examples`, { recursive: true }))
    .filter((file) => file.endsWith('.ts') && !file.startsWith('support'))
    .map((file) => file.replaceAll('\\', '/').slice(0, -3));
  assert.deepEqual(files.sort(), Object.keys(EXPECTED).sort());
  const readme = await readFile(`${ROOT}/examples/README.md`, 'utf8');
  const named = [...readme.matchAll(/`((?:offline|serving)\/[\w-]+)\.ts`/g)].map(([, name]) => name);
  const ofThePage = files.filter((file) => file.includes('/'));
  assert.deepEqual([...new Set(named)].sort(), ofThePage);
});
