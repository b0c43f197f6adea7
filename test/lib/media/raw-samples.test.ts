import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toMonoSound } from '../../../lib/media/raw-samples.js';
import type { RawSamples } from '../../../lib/media/types.js';
import { policyWith } from './support/context.js';
import { rejectsWith } from './support/errors.js';

const POLICY = policyWith();
const mono = async (sound: RawSamples): Promise<number[]> => [
  ...(await toMonoSound(sound, 16_000, POLICY)).samples,
];

describe('samples as mono', () => {
  test('channels are averaged in every layout', async () => {
    const layouts: RawSamples[] = [
      { data: new Float32Array([1, 2, 3, 5, 6, 7]), numChannels: 2, layout: 'planar' },
      { data: new Float32Array([1, 5, 2, 6, 3, 7]), numChannels: 2, layout: 'interleaved' },
      { data: [new Float32Array([1, 2, 3]), [5, 6, 7]], numChannels: 2, layout: 'channels' },
      { data: [[1, 5], [2, 6], new Float64Array([3, 7])], numChannels: 2, layout: 'frames' },
    ];
    for (const sound of layouts) assert.deepEqual(await mono(sound), [3, 4, 5], sound.layout);
    const surround = { data: [0, 0.5, 1, 0, 0.5, 1], numChannels: 6, layout: 'interleaved' } as const;
    assert.deepEqual(await mono(surround), [0.5]);
  });

  test('PCM is scaled to [-1, 1], floats are taken as they are', async () => {
    assert.deepEqual(
      await mono({ data: new Int16Array([-32_768, 0, 16_384]), numChannels: 1, layout: 'planar' }),
      [-1, 0, 0.5],
    );
    assert.deepEqual(
      await mono({ data: new Int32Array([-(2 ** 31), 2 ** 30]), numChannels: 1, layout: 'planar' }),
      [-1, 0.5],
    );
    const samples = new Float32Array([0.25]);
    const sound = await toMonoSound({ data: samples, numChannels: 1, layout: 'planar' }, 16_000, POLICY);
    assert.equal(sound.samples, samples);
  });

  test('a rate that is absent is the native one; others are rounded', async () => {
    const sound: RawSamples = { data: [0.5], numChannels: 1, layout: 'planar' };
    assert.equal((await toMonoSound(sound, 24_000, POLICY)).samplingRate, 24_000);
    const asked = { ...sound, samplingRate: 44_099.7 };
    assert.equal((await toMonoSound(asked, 24_000, POLICY)).samplingRate, 44_100);
  });

  test('what is no sound is refused', async () => {
    const refuse = async (sound: Partial<RawSamples>, reason: RegExp): Promise<void> => {
      const whole: RawSamples = { data: [0.5], numChannels: 1, layout: 'planar', ...sound };
      const error = await rejectsWith(toMonoSound(whole, 16_000, POLICY), 'invalid_audio');
      assert.match(error.message, reason);
    };
    await refuse({ data: [] }, /no samples/);
    await refuse({ data: [0, NaN] }, /not finite/);
    await refuse({ data: new Float32Array([0, Infinity]) }, /not finite/);
    await refuse({ data: [1e39] }, /not finite/);
    await refuse({ samplingRate: 999 }, /sampling rate/);
    await refuse({ samplingRate: 1e9 }, /sampling rate/);
    await refuse({ data: new Float32Array(33), numChannels: 33 }, /number of channels/);
    await refuse({ data: [[1, 2], [1]], numChannels: 2, layout: 'channels' }, /different lengths/);
    await refuse({ data: [[1, 2], [1], [1, 2]], numChannels: 2, layout: 'frames' }, /different lengths/);
    for (const sample of ['0.5', null, 1n, [1]] as never[]) {
      await refuse({ data: [0.5, sample] }, /no numbers/);
      await refuse(
        {
          data: [
            [0.5, sample],
            [0, 1],
            [0, 1],
          ],
          numChannels: 2,
          layout: 'frames',
        },
        /no numbers/,
      );
    }
    for (const row of ['ab', 5, null, new Uint8Array(2)] as never[]) {
      await refuse({ data: [[1, 2], row], numChannels: 2, layout: 'channels' }, /no numbers/);
      await refuse({ data: [[1, 2], row, [1, 2]], numChannels: 2, layout: 'frames' }, /no numbers/);
    }
  });

  test('the limit of seconds holds', async () => {
    const sound: RawSamples = { data: new Float32Array(16_001), numChannels: 1, layout: 'planar' };
    const work = toMonoSound(sound, 16_000, policyWith({ maxAudioSeconds: 1 }));
    assert.equal((await rejectsWith(work, 'media_too_large')).status, 413);
  });

  test('long ones leave the event loop free, and stop with their request', async () => {
    const forms: RawSamples[] = [
      { data: new Float32Array(2_000_000), numChannels: 2, layout: 'interleaved' },
      { data: Array(1_000_000).fill(0.5), numChannels: 1, layout: 'planar' },
      { data: Array(1_000_000).fill([0.5, 0.25]), numChannels: 2, layout: 'frames' },
    ];
    for (const sound of forms) {
      let hasTurned = false;
      setImmediate(() => (hasTurned = true));
      await toMonoSound(sound, 16_000, POLICY);
      assert.ok(hasTurned);
      await rejectsWith(toMonoSound(sound, 16_000, POLICY, AbortSignal.abort()), 'request_cancelled');
    }
  });
});
