import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeAudio } from '../../../lib/media/audio.js';
import type { DecodedAudio, MediaPolicy } from '../../../lib/media/types.js';
import { NEEDS_FFMPEG } from '../support/ffmpeg.js';
import { contextWith, readFixture } from './support/context.js';
import { rejectsWith } from './support/errors.js';
import { hostileCases, hostileTensors, maxDifference, readHostile } from './support/goldens.js';

const decode = (bytes: Uint8Array, overrides: Partial<MediaPolicy> = {}): Promise<DecodedAudio> =>
  decodeAudio(bytes, contextWith(overrides));

describe('goldens of hostile sounds', () => {
  const tensor = hostileTensors();
  for (const hostile of hostileCases('audio')) {
    test(`${hostile.file}: ${hostile.why}`, async () => {
      const outcome = await decode(readHostile(hostile.file)).catch((error: { status: number }) => error);
      if ('status' in outcome) {
        assert.notEqual(hostile.expect, 'accept');
        assert.ok(outcome.status >= 400 && outcome.status < 500);
        return;
      }
      assert.notEqual(hostile.expect, 'reject');
      assert.ok(outcome.samples.every(Number.isFinite));
      const expected = tensor(hostile.file.replace('files/', ''));
      if (expected) assert.ok(maxDifference(outcome.samples, expected) <= 1e-4);
    });
  }
});

/** Rising zero crossings a second: the pitch of a pure tone. */
function pitch({ samples, samplingRate }: DecodedAudio): number {
  let count = 0;
  for (let i = 1; i < samples.length; i++) {
    if ((samples[i - 1] as number) < 0 && (samples[i] as number) >= 0) count++;
  }
  return (count * samplingRate) / samples.length;
}

async function checkTone(name: string, samplingRate: number): Promise<void> {
  const sound = await decode(readFixture(name));
  assert.equal(sound.samplingRate, samplingRate);
  const seconds = sound.samples.length / samplingRate;
  assert.ok(Math.abs(seconds - 0.5) < 0.02, `${seconds} s`);
  assert.ok(Math.abs(pitch(sound) - 440) < 20, `${pitch(sound)} Hz`);
  const peak = sound.samples.reduce((most, sample) => Math.max(most, sample), 0);
  assert.ok(peak > 0.07 && peak < 0.14, `peak ${peak}`);
}

describe('half a second of a 440 Hz tone', () => {
  for (const [name, samplingRate] of [
    ['tone.flac', 22050],
    ['tone-flac.ogg', 22050],
    ['tone.mp3', 22050],
    ['tone.ogg', 22050],
    ['tone.opus', 48000],
    ['tone-alaw.wav', 16000],
    ['tone-mulaw.wav', 16000],
    ['tone-s32.wav', 16000],
    ['tone-f64.wav', 16000],
  ] as const) {
    test(`is heard in ${name} without ffmpeg`, () => checkTone(name, samplingRate));
  }

  for (const [name, samplingRate] of [
    ['tone.m4a', 22050],
    ['tone.webm', 48000],
    ['sound.mp4', 22050],
  ] as const) {
    test(`is heard in ${name} through ffmpeg`, NEEDS_FFMPEG, () => checkTone(name, samplingRate));
  }
});

describe('WAV files', () => {
  function wav(samplingRate: number, numFrames: number, numChannels = 1): Buffer {
    const bytes = Buffer.alloc(44 + numFrames * numChannels * 2);
    bytes.write('RIFF', 0, 'latin1');
    bytes.write('WAVEfmt ', 8, 'latin1');
    bytes.writeUInt32LE(16, 16);
    bytes.writeUInt16LE(1, 20);
    bytes.writeUInt16LE(numChannels, 22);
    bytes.writeUInt32LE(samplingRate, 24);
    bytes.writeUInt16LE(16, 34);
    bytes.write('data', 36, 'latin1');
    bytes.writeUInt32LE(numFrames * numChannels * 2, 40);
    for (let i = 0; i < numFrames * numChannels; i++) bytes.writeInt16LE((i * 37) % 1000, 44 + i * 2);
    return bytes;
  }

  test('channels are averaged, in place and in a worker alike', async () => {
    const small = await decode(wav(8000, 1000, 2));
    assert.ok(Math.abs((small.samples[1] as number) - (74 + 111) / 2 / 32768) < 1e-7);
    const large = await decode(wav(8000, 200_000, 2));
    assert.equal(large.samples.length, 200_000);
    assert.deepEqual(large.samples.subarray(0, 500), small.samples.subarray(0, 500));
  });

  test('six channels are averaged as two are', async () => {
    const { samples } = await decode(wav(48_000, 100, 6));
    const levels = Array.from({ length: 6 }, (_, channel) => ((6 + channel) * 37) % 1000);
    const mean = levels.reduce((sum, level) => sum + level, 0) / 6 / 32_768;
    assert.equal(samples.length, 100);
    assert.ok(Math.abs((samples[1] as number) - mean) < 1e-7);
  });

  test('a length over the limit is refused from the header', async () => {
    const context = contextWith({ maxAudioSeconds: 1 });
    await rejectsWith(decodeAudio(wav(8000, 8001), context), 'media_too_large');
    assert.deepEqual(context.reserved, []);
    assert.equal((await decode(wav(8000, 8000), { maxAudioSeconds: 1 })).samples.length, 8000);
  });

  test('so are bytes over the limit, of the samples that are kept', async () => {
    const context = contextWith({ maxAudioDecodedBytes: 32_000 });
    const error = await rejectsWith(decodeAudio(wav(8000, 8001), context), 'media_too_large');
    assert.match(error.message, /32000 bytes/);
    assert.deepEqual(context.reserved, []);
    assert.equal((await decode(wav(8000, 8000), { maxAudioDecodedBytes: 32_000 })).samples.length, 8000);
  });
});

describe('bad input', () => {
  test('compressed sound is stopped at the limit while it is decoded', async () => {
    for (const name of ['tone.flac', 'tone.mp3', 'tone.ogg', 'tone.opus']) {
      await rejectsWith(decode(readFixture(name), { maxAudioSeconds: 0.2 }), 'media_too_large');
      await rejectsWith(decode(readFixture(name), { maxAudioDecodedBytes: 1000 }), 'media_too_large');
    }
  });

  test('damaged files are refused without the decoder breaking', async () => {
    for (const name of ['tone.flac', 'tone.mp3', 'tone.ogg', 'tone.opus']) {
      const bytes = readFixture(name);
      await rejectsWith(decode(bytes.subarray(0, 60)), 'invalid_audio');
      const noise = Buffer.from(bytes);
      for (let i = 200; i < noise.length; i++) noise[i] = (i * 7919) & 0xff;
      const outcome = await decode(noise).catch((error: { code: string }) => error);
      if ('code' in outcome) assert.match(outcome.code, /^(invalid_audio|media_too_large)$/);
      else assert.ok(outcome.samples.every(Number.isFinite));
    }
  });

  test('other formats are refused by name', async () => {
    await rejectsWith(decode(readHostile('files/ok_rgb.png')), 'media_format_refused');
    await rejectsWith(decode(Buffer.from('<html></html>')), 'media_format_refused');
  });

  test('a video without sound has no sound', NEEDS_FFMPEG, async () => {
    await rejectsWith(decode(readFixture('plain.mp4')), 'invalid_audio');
  });

  test('a missing ffmpeg is named, with what to install', async () => {
    const missing = { ffmpegPath: 'no-such-ffmpeg', ffprobePath: 'no-such-ffprobe' };
    const error = await rejectsWith(decode(readFixture('tone.m4a'), missing), 'ffmpeg_missing');
    assert.equal(error.status, 501);
    assert.match(error.message, /ffprobe.*install/);
  });

  test('a caller that leaves ends the worker', async () => {
    const leaving = new AbortController();
    const context = { ...contextWith(), signal: leaving.signal };
    const work = decodeAudio(readFixture('tone.flac'), context);
    setImmediate(() => leaving.abort());
    await rejectsWith(work, 'request_cancelled');
  });
});
