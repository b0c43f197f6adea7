import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import OpenAI from 'openai';
import sharp from 'sharp';
import { makeClip, withBrokenFrames } from '../lib/media/support/clips.js';
import { NEEDS_FFMPEG } from '../lib/support/ffmpeg.js';
import { useServer } from './support/server.js';

const service = useServer(['--limit-mm-per-prompt', '{"video": 2}']);

/** Tokens of two frames of 112 x 112 pixels, the least that the demo model looks at. */
const TOKENS_PER_PAIR = 16;

type Fields = Record<string, unknown>;
const io = (video: Fields): Fields => ({ media_io_kwargs: { video } });
const dataUrl = (clip: Buffer): string => `data:video/mp4;base64,${clip.toString('base64')}`;

async function promptTokens(parts: Fields[], fields: Fields = {}): Promise<number> {
  const { client, model } = service;
  const content = [...parts, { type: 'text', text: 'What is it?' }] as never;
  const body = { model, max_tokens: 1, messages: [{ role: 'user' as const, content }], ...fields };
  return (await client.chat.completions.create(body)).usage!.prompt_tokens;
}

/** Pairs of frames that the model saw of one video. */
async function pairsOf(url: string, fields: Fields = {}, beside: Fields = {}): Promise<number> {
  const part = { type: 'video_url', video_url: { url }, ...beside };
  const one = await promptTokens([part], fields);
  const two = await promptTokens([part, part], fields);
  // What stands around a video is the same twice: two tokens of its own.
  return (two - one - 2) / TOKENS_PER_PAIR;
}

suite('frames of a clip', NEEDS_FFMPEG, () => {
  const clip = dataUrl(NEEDS_FFMPEG.skip ? Buffer.alloc(0) : makeClip({ numFrames: 60, size: '112x112' }));

  test('as many as the options of reading ask for', async () => {
    assert.equal(await pairsOf(clip), 4);
    assert.equal(await pairsOf(clip, io({ num_frames: 4 })), 2);
    assert.equal(await pairsOf(clip, io({ fps: 1 })), 3);
    assert.equal(await pairsOf(clip, io({ fps: 5, max_frames: 20 })), 10);
    assert.equal(await pairsOf(clip, io({ num_frames: -1, video_backend: 'opencv', fps: 3 })), 9);
    assert.equal(await pairsOf(clip, io({ video_backend: 'glm46v' })), 18);
    assert.equal(await pairsOf(clip, io({ video_backend: 'opencv_dynamic', fps: 4 })), 12);
  });

  test('or those of the processor, or the part itself', async () => {
    assert.equal(await pairsOf(clip, { mm_processor_kwargs: { fps: 1 } }), 3);
    assert.equal(
      await pairsOf(clip, {
        ...io({ num_frames: -1 }),
        mm_processor_kwargs: { fps: 1, do_sample_frames: true },
      }),
      3,
    );
    assert.equal(await pairsOf(clip, {}, { nframes: 6 }), 3);
    assert.equal(await pairsOf(clip, io({ num_frames: 20 }), { fps: 1 }), 3);
    assert.equal(await pairsOf(clip, {}, { video_start: 2, video_end: 3.95, fps: 1 }), 1);
  });

  test('500 of them, small ones', async () => {
    const long = dataUrl(makeClip({ numFrames: 600, fps: 30, size: '56x56' }));
    const part = { type: 'video_url', video_url: { url: long }, min_pixels: 784, max_pixels: 784 };
    const few = await promptTokens([part], io({ num_frames: 2 }));
    assert.equal((await promptTokens([part], io({ num_frames: 500 }))) - few, 249);
  });

  test('sized as the part asks', async () => {
    const sized = { resized_height: 56, resized_width: 112, num_frames: 4 };
    assert.equal(await pairsOf(clip, {}, sized), (2 * 8) / TOKENS_PER_PAIR);
    const shared = { total_pixels: 4 * 784 * 4, min_pixels: 784, num_frames: 8 };
    assert.equal(await pairsOf(clip, {}, shared), (4 * 4) / TOKENS_PER_PAIR);
  });

  test('recovered from a damaged file', async () => {
    const whole = makeClip({ numFrames: 26, size: '112x112' });
    const broken = dataUrl(withBrokenFrames(whole, [16, 17]));
    assert.equal(await pairsOf(broken, io({ num_frames: 2, video_backend: 'opencv' })), 1);
    const last = dataUrl(withBrokenFrames(whole, [25]));
    assert.equal(await pairsOf(last, io({ num_frames: 3 })), 1);
    assert.equal(await pairsOf(last, io({ num_frames: 3, frame_recovery: true })), 2);
  });

  test('never more than a ceiling, whatever is asked', async () => {
    const bad: Fields[] = [
      { fps: 1e9 },
      { fps: -2 },
      { num_frames: 1e9 },
      { num_frames: 0 },
      { num_frames: 'invalid' },
      { max_frames: 1e9 },
      { min_frames: -1 },
      { max_duration: 1e12 },
      { video_backend: 'nope' },
      { backend: 'nope' },
      { frame_recovery: 'yes' },
      { do_sample_frames: 1 },
    ];
    for (const video of bad) {
      await assert.rejects(pairsOf(clip, io(video)), (error: unknown) => {
        assert.ok(error instanceof OpenAI.APIError);
        const param = `media_io_kwargs.video.${Object.keys(video)[0]}`;
        assert.deepEqual([error.status, error.code, error.param], [400, 'invalid_value', param]);
        return true;
      });
    }
    assert.equal(await pairsOf(clip, io({ num_frames: 4 })), 2);
  });
});

suite('frames given one by one', () => {
  const frame = async (level: number): Promise<string> =>
    (
      await sharp({ create: { width: 112, height: 112, channels: 3, background: { r: level, g: 9, b: 9 } } })
        .jpeg()
        .toBuffer()
    ).toString('base64');

  test('are all seen, or the first of them', async () => {
    const frames = await Promise.all(Array.from({ length: 36 }, (_, i) => frame(i * 7)));
    const url = `data:video/jpeg;base64,${frames.join(',')}`;
    assert.equal(await pairsOf(url), 18);
    assert.equal(await pairsOf(url, io({ num_frames: 4 })), 2);
    assert.equal(
      await pairsOf(url, io({ fps: 30, frames_indices: [...frames.keys()], total_num_frames: 99 })),
      18,
    );
  });

  test('name the one that is broken', async () => {
    const url = `data:video/jpeg;base64,${await frame(1)},AAAA,${await frame(2)}`;
    await assert.rejects(pairsOf(url), (error: unknown) => {
      assert.ok(error instanceof OpenAI.APIError);
      assert.deepEqual([error.status, error.code], [400, 'invalid_video']);
      assert.match(error.message, /frame 1/i);
      return true;
    });
  });

  test('beyond the limit are refused', async () => {
    const url = `data:video/jpeg;base64,${Array(1025)
      .fill(await frame(3))
      .join(',')}`;
    await assert.rejects(pairsOf(url), (error: unknown) => {
      assert.ok(error instanceof OpenAI.APIError);
      assert.deepEqual([error.status, error.code], [400, 'invalid_video']);
      return true;
    });
  });
});
