import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import { hashBytes, hashDecoded, mediaKey, type MediaKeyParts } from '../../../lib/media/content-hash.js';
import { hashSource } from '../../../lib/media/source-loader.js';
import type { DecodedMedia, DecodedVideo } from '../../../lib/media/types.js';

const PARTS: MediaKeyParts = {
  tenant: 'a',
  modelId: 'm',
  modality: 'image',
  identity: { uuid: 'u' },
  ioKwargs: {},
  processorKwargs: {},
};

describe('content hashes', () => {
  test('are SHA-256, taken in turns', async () => {
    const bytes = Buffer.alloc(3_000_000, 'x');
    let hasTurned = false;
    setImmediate(() => (hasTurned = true));
    assert.equal(await hashBytes(bytes), createHash('sha256').update(bytes).digest('hex'));
    assert.ok(hasTurned);
  });

  test('of many short frames leave the event loop free as well', async () => {
    const frames = Array.from({ length: 8 }, (_, i) => new Uint8Array(300 * 300 * 3).fill(i));
    const metadata = { fps: 1, totalNumFrames: 8, duration: 8, framesIndices: frames.map((_, i) => i) };
    const clip: DecodedVideo = { kind: 'video', frames, width: 300, height: 300, sampledFps: 1, metadata };
    const pixels = frames.map((data) => ({ data, width: 300, height: 300, channels: 3 as const }));
    const signal = new AbortController().signal;
    for (const hash of [
      () => hashDecoded(clip),
      () => hashSource({ kind: 'frames', pictures: pixels }, signal),
      () => hashSource({ kind: 'frames', pictures: frames }, signal),
    ]) {
      let numTurns = 0;
      const count = (): void => {
        numTurns++;
        turn = setImmediate(count);
      };
      let turn = setImmediate(count);
      await hash();
      clearImmediate(turn);
      assert.ok(numTurns >= frames.length - 1, `${numTurns} turns`);
    }
  });

  test('of decoded media cover the shape: 30x100 is not 100x30', async () => {
    const data = new Uint8Array(3000 * 3);
    const samples = new Float32Array(2250);
    const metadata = { fps: 1, totalNumFrames: 1, duration: 1, framesIndices: [0] };
    const clip: DecodedVideo = {
      kind: 'video',
      frames: [data],
      width: 30,
      height: 100,
      sampledFps: 1,
      metadata,
    };
    const all: DecodedMedia[] = [
      { kind: 'image', data, width: 30, height: 100 },
      { kind: 'image', data, width: 100, height: 30 },
      { kind: 'audio', samples, samplingRate: 8000 },
      { kind: 'audio', samples, samplingRate: 16000 },
      clip,
      { ...clip, sampledFps: 2 },
      { ...clip, frames: [data, data] },
      { ...clip, audio: { kind: 'audio', samples, samplingRate: 8000 } },
    ];
    const hashes = await Promise.all(all.map((media) => hashDecoded(media)));
    assert.equal(new Set(hashes).size, all.length);
  });
});

describe('content hashes of pictures', () => {
  test('differ with the palette, the orientation and the mode of equal pixel data', async () => {
    const raw = { width: 2, height: 1, channels: 3 } as const;
    const indexed = await sharp(Buffer.from([255, 0, 0, 0, 0, 255]), { raw })
      .png({ palette: true })
      .toBuffer();
    const palette = Buffer.from(indexed);
    const start = palette.indexOf('PLTE') + 4;
    palette.fill(9, start, start + 3);
    const plain = await sharp({ create: { width: 30, height: 100, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer();
    const turned = await sharp(plain).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    const grey = await sharp(plain).greyscale().jpeg().toBuffer();
    const files = [indexed, palette, plain, turned, grey];
    const hashes = await Promise.all(files.map((bytes) => hashBytes(bytes)));
    assert.equal(new Set(hashes).size, files.length);
  });
});

describe('media keys', () => {
  test('differ with everything that changes the item or its owner', () => {
    const variants: Partial<MediaKeyParts>[] = [
      {},
      { tenant: 'b' },
      { modelId: 'n' },
      { modality: 'video' },
      { identity: { uuid: 'v' } },
      { identity: { contentHash: 'u' } },
      { ioKwargs: { num_frames: 4 } },
      { processorKwargs: { num_frames: 4 } },
      { processorKwargs: { num_frames: '4' } },
      { processorKwargs: { size: { a: 1 } } },
      { processorKwargs: { size: [['a', 1]] } },
      { tenant: '__proto__' },
      { tenant: '\0' },
      { tenant: '\ud800' },
      { tenant: '\udfff' },
      { tenant: 'a\nb' },
      { tenant: 'x'.repeat(1_000_000) },
    ];
    const keys = variants.map((variant) => mediaKey({ ...PARTS, ...variant }));
    assert.equal(new Set(keys).size, variants.length);
    assert.ok(keys.every((key) => /^[0-9a-f]{64}$/.test(key)));
  });

  test('do not depend on the order of options', () => {
    const one = mediaKey({ ...PARTS, processorKwargs: { a: 1, b: { c: 2, d: 3 } } });
    const other = mediaKey({ ...PARTS, processorKwargs: { b: { d: 3, c: 2 }, a: 1 } });
    assert.equal(one, other);
  });
});
