import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { DecodeContext } from '../../../lib/media/decode-context.js';
import type { DecodedVideo, MediaPolicy } from '../../../lib/media/types.js';
import { decodeVideo } from '../../../lib/media/video.js';
import type { VideoSettings } from '../../../lib/media/video-settings.js';
import { NEEDS_FFMPEG } from '../support/ffmpeg.js';
import { makeClip } from './support/clips.js';
import { contextWith, QWEN_SAMPLING } from './support/context.js';
import { rejectsWith } from './support/errors.js';
import { startTestServer } from './support/http-server.js';

const decode = (
  bytes: Uint8Array,
  settings: Partial<VideoSettings> = {},
  policy: Partial<MediaPolicy> = {},
): Promise<DecodedVideo> =>
  decodeVideo(bytes, { useAudioInVideo: false, ...settings }, QWEN_SAMPLING, contextWith(policy));

/** The clip with the body of its first box of this type changed in place. */
function withBox(clip: Buffer, type: string, change: (body: Buffer) => void): Buffer {
  const changed = Buffer.from(clip);
  const at = changed.indexOf(type, changed.indexOf('moov'), 'latin1');
  assert.ok(at > 0, `the clip has no ${type}`);
  change(changed.subarray(at + 4, at - 4 + changed.readUInt32BE(at - 4)));
  return changed;
}

/** The clip with its pictures said to lie at `url`. All boxes around the reference grow with it. */
function withDataReference(clip: Buffer, url: string): Buffer {
  const start = clip.indexOf('moov', 0, 'latin1') - 4;
  const types = ['moov', 'trak', 'mdia', 'minf', 'dinf', 'dref', 'url '];
  const sizes = types.map((type) => clip.indexOf(type, start, 'latin1') - 4);
  const entry = sizes.at(-1) as number;
  const location = Buffer.from(`${url}\0`);
  const changed = Buffer.concat([clip.subarray(0, entry + 12), location, clip.subarray(entry + 12)]);
  for (const at of sizes) changed.writeUInt32BE(changed.readUInt32BE(at) + location.length, at);
  changed.writeUInt32BE(0, entry + 8);
  return changed;
}

const reject4xx = async (work: Promise<unknown>): Promise<void> => {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return;
  const { status, code } = error as { status?: number; code?: string };
  assert.ok(status !== undefined && status >= 400 && status < 500, `${status} ${code}`);
};

describe('files that name others', NEEDS_FFMPEG, () => {
  test('playlists and scripts are no videos, under any name', async (t) => {
    const server = await startTestServer(t, (_request, response) => response.end('x'));
    const url = server.url('/part.ts');
    const texts = [
      `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${url}\n#EXT-X-ENDLIST\n`,
      `ffconcat version 1.0\nfile '${url}'\nfile '/etc/hostname'\n`,
      `concat:/etc/hostname|${url}`,
      `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><BaseURL>${url}</BaseURL></MPD>`,
      `v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n`,
      `[playlist]\nFile1=${url}\nNumberOfEntries=1\n`,
    ];
    for (const text of texts) await reject4xx(decode(Buffer.from(text)).then(() => assert.fail(text)));
    assert.equal(server.hits.length, 0);
  });

  test('a reference to data elsewhere is not followed', async (t) => {
    const server = await startTestServer(t, (_request, response) => response.end('x'));
    const clip = makeClip({ numFrames: 6 });
    const folder = mkdtempSync(join(tmpdir(), 'sensorium-test-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const secret = join(folder, 'secret.mp4');
    writeFileSync(secret, makeClip({ numFrames: 6, more: ['-vf', 'negate'] }));
    const own = await decode(clip, { numFrames: 'all' });
    for (const url of [`file://${secret}`, secret, server.url('/clip.mp4')]) {
      const read = await decode(withDataReference(clip, url), { numFrames: 'all' }).catch(() => undefined);
      if (read !== undefined) assert.deepEqual(read.frames, own.frames);
    }
    assert.equal(server.hits.length, 0);
  });
});

describe('headers that lie', NEEDS_FFMPEG, () => {
  const clip = (): Buffer => makeClip({ numFrames: 6 });

  test('about the number of frames', async () => {
    const whole = clip();
    for (const [type, offset] of [
      ['stsz', 8],
      ['stts', 8],
      ['stsc', 4],
      ['stco', 4],
    ] as const) {
      for (const count of [0, 3, 0x7fff_ffff]) {
        const bytes = withBox(whole, type, (body) => body.writeUInt32BE(count, offset));
        const work = decode(bytes, { numFrames: 'all' });
        await reject4xx(work.then(({ frames }) => assert.ok(frames.length <= 6)));
      }
    }
  });

  test('about the rate: one that is none is refused, never NaN', async () => {
    const fast = withBox(clip(), 'mdhd', (body) => body.writeUInt32BE(0x7fff_ffff, 12));
    const error = await rejectsWith(decode(fast), 'invalid_video');
    assert.match(error.message, /frame rate/);
    const still = withBox(clip(), 'stts', (body) => body.writeUInt32BE(0, 12));
    await reject4xx(decode(still).then(({ sampledFps }) => assert.ok(sampledFps > 0)));
    const timeless = withBox(clip(), 'mdhd', (body) => body.writeUInt32BE(0, 12));
    await reject4xx(decode(timeless).then(({ sampledFps }) => assert.ok(sampledFps > 0)));
  });

  test('about the duration', async () => {
    const slow = withBox(clip(), 'stts', (body) => body.writeUInt32BE(0x7000_0000, 12));
    await rejectsWith(decode(slow), 'media_too_large');
    const long = withBox(clip(), 'mdhd', (body) => body.writeUInt32BE(0x7000_0000, 16));
    await reject4xx(decode(long).then(({ frames }) => assert.ok(frames.length <= 6)));
  });

  test('about the size of pictures', async () => {
    const wide = withBox(clip(), 'mp4v', (body) => body.writeUInt32BE(0xffff_ffff, 24));
    await reject4xx(decode(wide).then(({ frames }) => assert.equal(frames[0]?.length, 64 * 48 * 3)));
  });
});

describe('large clips', NEEDS_FFMPEG, () => {
  test('pictures beyond the pixel limit are refused before they are decoded', async () => {
    const huge = makeClip({ numFrames: 1, size: '4096x4096', fps: 1 });
    await rejectsWith(decode(huge, {}, { maxImagePixels: 4096 * 4096 - 1 }), 'media_too_large');
  });

  test('frames that the model sees smaller are held smaller', async () => {
    const numFrames = 40;
    const clip = makeClip({ numFrames, fps: 30, size: '1280x720' });
    const settings = { useAudioInVideo: false, numFrames: 'all' as const };
    const policy = { maxInFlightBytes: 64 * 1024 * 1024 };
    await rejectsWith(decodeVideo(clip, settings, QWEN_SAMPLING, contextWith(policy)), 'media_too_large');
    const sizes = new Set<string>();
    const frameResizer: DecodeContext['frameResizer'] = ({ width, height }) => ({
      width: 28,
      height: 56,
      resize: (frame) => {
        sizes.add(`${width} x ${height}: ${frame.length}`);
        return Promise.resolve(frame.slice(0, 28 * 56 * 3));
      },
    });
    const context = { ...contextWith(policy), frameResizer };
    const video = await decodeVideo(clip, settings, QWEN_SAMPLING, context);
    assert.deepEqual([video.frames.length, video.width, video.height], [numFrames, 28, 56]);
    assert.deepEqual([...sizes], [`1280 x 720: ${1280 * 720 * 3}`]);
    assert.ok(context.reserved[0]! < 32 * 1024 * 1024);
    const failing = {
      ...context,
      frameResizer: () => ({ width: 1, height: 1, resize: () => Promise.reject(new Error('x')) }),
    };
    await assert.rejects(decodeVideo(clip, settings, QWEN_SAMPLING, failing), { message: 'x' });
  });

  test('500 frames are within the usual limits, 1025 are not', async () => {
    const long = makeClip({ numFrames: 1030, fps: 30, size: '32x32' });
    assert.equal((await decode(long, { numFrames: 500 })).frames.length, 500);
    const most = await decode(long, { numFrames: 1024, hasFrameRecovery: true });
    assert.equal(most.frames.length, 1024);
    assert.equal(new Set(most.metadata.framesIndices).size, 1024);
    await rejectsWith(decode(long, { numFrames: 'all' }), 'media_too_large');
  });
});
