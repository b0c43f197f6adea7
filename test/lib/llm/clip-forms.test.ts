import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import type { ErrorCode } from '../../../lib/errors.js';
import type { VideoInput } from '../../../lib/llm.js';
import {
  DemoModel,
  CLIP,
  GREEDY,
  CLIP_ANSWER,
  turn,
  VIDEO,
  ASK_VIDEO,
  user,
  hasCode,
} from './support/demo-model.js';

const demo = new DemoModel();

describe('videos in process', () => {
  const NUM_FRAMES = 8;
  let pages: Buffer;
  let width: number;
  let height: number;
  let numPages: number;
  let indices: number[];
  const page = (i: number): Uint8Array =>
    pages.subarray(i * width * height * 3, (i + 1) * width * height * 3);

  before(async () => {
    const { data, info } = await sharp(CLIP, { pages: -1 })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const metadata = await sharp(CLIP, { pages: -1 }).metadata();
    numPages = metadata.pages ?? 0;
    [pages, width, height] = [data, info.width, metadata.pageHeight ?? 0];
    indices = Array.from({ length: NUM_FRAMES }, (_, i) =>
      Math.round((i * (numPages - 1)) / (NUM_FRAMES - 1)),
    );
  });

  test('as pixels, sharp objects, encoded pictures and one array', async () => {
    const pixels = indices.map((i) => ({ data: page(i), width, height }));
    const raw = { width, height, channels: 3 as const };
    const sharps = (): Sharp[] => pixels.map(({ data }) => sharp(data, { raw }));
    const jpegs = await Promise.all(sharps().map((frame) => frame.jpeg({ quality: 95 }).toBuffer()));
    const data = Buffer.concat(indices.map(page));
    const clip = { fps: 10, frames_indices: indices, total_num_frames: numPages, duration: numPages / 10 };
    const forms: Record<string, VideoInput> = {
      path: CLIP,
      bytes: readFileSync(CLIP),
      pixels,
      'sharp objects': sharps(),
      'encoded pictures': jpegs,
      '[t, h, w, c]': { data, shape: [NUM_FRAMES, height, width, 3] },
      '{ frames, fps }': { frames: pixels, fps: 2 },
      '{ frames, metadata }': { frames: jpegs, metadata: clip },
      '[frames, metadata]': [pixels, clip],
      '[array, metadata]': [{ data, shape: [NUM_FRAMES, height, width, 3] }, clip],
    };
    for (const [name, video] of Object.entries(forms)) {
      assert.equal(await demo.answer(ASK_VIDEO, { video }), CLIP_ANSWER, name);
    }
    const part = { type: 'video', video: jpegs, metadata: clip };
    const { outputs } = await demo.llm.chat(
      user(part, { type: 'text', text: 'Describe this video.' }),
      GREEDY,
    );
    assert.equal(outputs[0]?.text, CLIP_ANSWER);
  });

  test('lists of clips are several videos', async () => {
    const frames = indices.map((i) => ({ data: page(i), width, height }));
    const { usage } = await demo.llm.generate(
      { prompt: turn(`${VIDEO}${VIDEO}Compare.`), multiModalData: { video: [CLIP, frames] } },
      { ...GREEDY, maxTokens: 1 },
    );
    assert.ok(usage.videoTokens > 0);
  });

  test('what is no video is refused', async () => {
    const refuse = async (video: unknown, code: ErrorCode): Promise<void> =>
      assert.rejects(demo.answer(ASK_VIDEO, { video: video as VideoInput }), hasCode(code));
    await refuse({ frames: [] }, 'invalid_value');
    await refuse({ frames: 'x' }, 'invalid_value');
    await refuse({ frames: [{ data: page(0), width, height }, 7] }, 'invalid_type');
    await refuse({ frames: [{ data: page(0), width, height }], fps: 0 }, 'invalid_value');
    await refuse({ frames: [{ data: page(0), width, height }], metadata: 5 }, 'invalid_type');
    await refuse({ data: page(0), shape: [height, width, 3] }, 'invalid_video');
    await refuse(
      [
        { data: page(0), width, height },
        { data: new Uint8Array(3), width: 1, height: 1 },
      ],
      'invalid_video',
    );
  });
});
