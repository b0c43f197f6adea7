import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { SensoriumError } from '../../../lib/errors.js';
import { decodeBmp, readBmpHeader } from '../../../lib/media/bmp.js';
import { parseDataUrlHeader } from '../../../lib/media/data-url.js';
import { SoundError } from '../../../lib/media/mono-sink.js';
import { PpmFrames } from '../../../lib/media/ppm-frames.js';
import { sniffFormat } from '../../../lib/media/sniff.js';
import { parseMediaUrl } from '../../../lib/media/url-guard.js';
import { decodeWav } from '../../../lib/media/wav.js';
import { readFixture } from './support/context.js';
import { hostileCases, readHostile } from './support/goldens.js';

const ROUNDS = Number(process.env.SENSORIUM_FUZZ_ROUNDS ?? 4000);
const INTERESTING = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff];

/** Repeatable random numbers in [0, limit). */
function createRandom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

function mutate(bytes: Buffer, random: (limit: number) => number): Buffer {
  const copy = Buffer.from(bytes.subarray(0, random(4) === 0 ? random(bytes.length + 1) : bytes.length));
  // Headers stand at the front: most changes go there.
  for (let i = random(6); i >= 0 && copy.length > 0; i--) {
    const at = random(random(3) === 0 ? copy.length : Math.min(copy.length, 80));
    copy[at] = random(2) === 0 ? (INTERESTING[random(INTERESTING.length)] as number) : random(256);
  }
  return copy;
}

async function checkAll(seeds: Buffer[], parse: (bytes: Buffer) => unknown): Promise<void> {
  const random = createRandom(1);
  for (let round = 0; round < ROUNDS; round++) {
    const input = mutate(seeds[round % seeds.length] as Buffer, random);
    try {
      await parse(input);
    } catch (error) {
      const isClean = error instanceof SensoriumError || error instanceof SoundError;
      assert.ok(isClean, `round ${round}: ${String(error)} on ${input.subarray(0, 100).toString('hex')}`);
    }
  }
}

describe('mutated bytes end in a result or a clean error', () => {
  const wavs = ['tone-alaw.wav', 'tone-f64.wav'].map((name) => readFixture(name).subarray(0, 2000));
  const hostile = (['image', 'audio', 'video'] as const)
    .flatMap(hostileCases)
    .map(({ file }) => readHostile(file).subarray(0, 4000));

  test('WAV', () =>
    checkAll(
      [...wavs, readHostile('files/ok_extensible.wav'), readHostile('files/ok_list_chunk.wav')],
      (bytes) => {
        const { samples } = decodeWav(bytes, { maxSeconds: 10, maxBytes: 1e9 });
        assert.ok(samples.every(Number.isFinite));
      },
    ));

  test('BMP', () =>
    checkAll([readHostile('files/odd.bmp')], async (bytes) => {
      const header = readBmpHeader(bytes);
      if (header.width * header.height > 100_000) return;
      assert.equal((await decodeBmp(bytes, header)).data.length, header.width * header.height * 3);
    }));

  test('magic numbers', () => checkAll(hostile, sniffFormat));

  test('decoder output', () =>
    checkAll(
      [Buffer.concat([Buffer.from('P6\n4 3\n255\n'), Buffer.alloc(36), Buffer.from('P6\n4 3\n255\n')])],
      (bytes) => {
        const lengths: number[] = [];
        const frames = new PpmFrames(2, 12, (frame) => lengths.push(frame.length));
        const half = bytes.length >> 1;
        frames.push(bytes.subarray(0, half));
        frames.push(bytes.subarray(half));
        assert.ok(lengths.every((length) => length === 36));
      },
    ));

  test('URLs', () =>
    checkAll(
      [Buffer.from('http://user@host.example:80/a?b#c'), Buffer.from('data:image/png;base64,AAAA')],
      (bytes) => {
        const parsed = parseMediaUrl(bytes.toString('latin1'));
        if (parsed.kind === 'data') parseDataUrlHeader(parsed.text);
      },
    ));
});
