import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMediaPolicy, defaultMediaPolicy } from '../../../lib/media/policy.js';
import { numWorkersFromEnvironment, mediaPolicyFromEnvironment } from '../../../lib/media/environment.js';
import { throwsWith } from './support/errors.js';

describe('media policy', () => {
  test('is safe by default', () => {
    const policy = createMediaPolicy({}, {});
    assert.deepEqual(policy, defaultMediaPolicy());
    assert.equal(policy.allowPrivateMediaAddresses, false);
    assert.equal(policy.allowedLocalMediaPath, undefined);
    assert.deepEqual(
      [policy.imageFetchTimeoutMs, policy.videoFetchTimeoutMs, policy.audioFetchTimeoutMs],
      [5_000, 30_000, 10_000],
    );
    assert.ok(policy.maxVideoFrames >= 500);
    assert.equal(policy.maxRedirects, 3);
  });

  test('reads the environment in both spellings, the own one first, options before both', () => {
    const env = {
      VLLM_IMAGE_FETCH_TIMEOUT: '7',
      SENSORIUM_AUDIO_FETCH_TIMEOUT: '0.5',
      VLLM_AUDIO_FETCH_TIMEOUT: '9',
      VLLM_MEDIA_URL_ALLOW_REDIRECTS: '0',
      VLLM_MEDIA_FETCH_MAX_RETRIES: '5',
      VLLM_MAX_IMAGE_PIXELS: '1000',
      SENSORIUM_MAX_AUDIO_DECODE_DURATION_S: '30',
      VLLM_MAX_AUDIO_CLIP_FILESIZE_MB: '25',
      SENSORIUM_MAX_MEDIA_DOWNLOAD_SIZE_MB: '2',
      SENSORIUM_FFMPEG_PATH: '/opt/ffmpeg',
      SENSORIUM_VIDEO_FETCH_TIMEOUT: '',
    };
    const policy = createMediaPolicy({ maxImagePixels: 5, maxRedirects: undefined as never }, env);
    assert.equal(policy.imageFetchTimeoutMs, 7_000);
    assert.equal(policy.audioFetchTimeoutMs, 500);
    assert.equal(policy.videoFetchTimeoutMs, 30_000);
    assert.equal(policy.maxRedirects, 0);
    assert.equal(policy.maxFetchAttempts, 5);
    assert.equal(policy.maxImagePixels, 5);
    assert.equal(policy.maxAudioSeconds, 30);
    assert.equal(policy.maxAudioBytes, 25 * 1024 * 1024);
    assert.equal(policy.maxVideoBytes, 2 * 1024 * 1024);
    assert.equal(policy.ffmpegPath, '/opt/ffmpeg');
    assert.ok((mediaPolicyFromEnvironment({ VLLM_MAX_IMAGE_PIXELS: '0' }).maxImagePixels ?? 0) > 200_000_000);
  });

  test('0 is no limit of downloads but what is in flight, and one attempt to fetch', () => {
    const policy = createMediaPolicy(
      {},
      {
        VLLM_MAX_MEDIA_DOWNLOAD_SIZE_MB: '0',
        VLLM_MEDIA_FETCH_MAX_RETRIES: '0',
        SENSORIUM_MAX_MEDIA_IN_FLIGHT_MB: '100',
      },
    );
    assert.equal(policy.maxFetchAttempts, 1);
    for (const field of ['maxImageBytes', 'maxAudioBytes', 'maxVideoBytes'] as const)
      assert.equal(policy[field], 50 * 1024 * 1024, field);
    const capped = { VLLM_MAX_MEDIA_DOWNLOAD_SIZE_MB: '0', VLLM_MAX_AUDIO_CLIP_FILESIZE_MB: '3' };
    assert.equal(createMediaPolicy({}, capped).maxAudioBytes, 3 * 1024 * 1024);
  });

  test('the number of workers and the bytes of decoded sound are read in both spellings', () => {
    assert.equal(numWorkersFromEnvironment({ VLLM_MEDIA_LOADING_THREAD_COUNT: '3' }), 3);
    assert.equal(numWorkersFromEnvironment({}), undefined);
    throwsWith(
      () => numWorkersFromEnvironment({ SENSORIUM_MEDIA_LOADING_THREAD_COUNT: '0' }),
      'invalid_option',
    );
    assert.equal(createMediaPolicy({}, { VLLM_MAX_AUDIO_DECODE_BYTES: '4096' }).maxAudioDecodedBytes, 4096);
  });

  test('names what it cannot read', () => {
    const bad: Record<string, string>[] = [
      { SENSORIUM_IMAGE_FETCH_TIMEOUT: 'soon' },
      { VLLM_IMAGE_FETCH_TIMEOUT: '-1' },
      { VLLM_MEDIA_URL_ALLOW_REDIRECTS: 'maybe' },
      { VLLM_MAX_IMAGE_PIXELS: 'Infinity' },
    ];
    for (const env of bad) {
      const error = throwsWith(() => createMediaPolicy({}, env), 'invalid_option');
      assert.match(error.message, new RegExp(Object.keys(env)[0] as string));
    }
    throwsWith(() => createMediaPolicy({ maxImageBytes: 0 }, {}), 'invalid_option');
    throwsWith(() => createMediaPolicy({ maxVideoFrames: NaN }, {}), 'invalid_option');
    throwsWith(() => createMediaPolicy({ maxRedirects: -1 }, {}), 'invalid_option');
  });
});
