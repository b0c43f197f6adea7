import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import { numPooledAudioTokens } from '../../../lib/processors/whisper-features.js';
import { rejectsWith, throwsWith } from '../media/support/errors.js';
import { GOLDENS, modelFolderOf, readJson } from '../support/goldens.js';

interface CountCase {
  seconds_samples: number;
  mel_max_length: number;
  qwen2_audio_or_omni2_5_tokens: number;
}

describe('audio tokens', () => {
  const counts = readJson(join(GOLDENS, 'components', 'token_counts', 'cases.json')) as {
    audio: CountCase[];
  };

  test('follow from the mel frames as in the goldens', () => {
    assert.ok(counts.audio.length > 5);
    for (const { mel_max_length: frames, qwen2_audio_or_omni2_5_tokens: expected } of counts.audio) {
      if (expected === 0) throwsWith(() => numPooledAudioTokens(frames), 'invalid_audio');
      else assert.equal(numPooledAudioTokens(frames), expected);
    }
  });

  test('of real sounds agree, at other sampling rates too', async () => {
    const processor = await createProcessor(modelFolderOf('qwen2_5_omni'), loadAddon());
    const tone = (numSamples: number): Float32Array =>
      Float32Array.from({ length: numSamples }, (_, i) => Math.sin(i / 9) / 4);
    const hear = (numSamples: number, samplingRate: number) =>
      processor.process({ kind: 'audio', samples: tone(numSamples), samplingRate }, {});
    assert.equal((await hear(16001, 16_000)).numTokens, 25);
    assert.equal((await hear(16000, 16_000)).media.numRows, 100);
    assert.equal((await hear(24000, 8_000)).numTokens, 75);
    assert.equal((await hear(44100, 44_100)).media.numRows, 100);
    await rejectsWith(hear(100, 16_000), 'invalid_audio');
    const samples = tone(16000).fill(NaN, 5, 6);
    await rejectsWith(
      processor.process({ kind: 'audio', samples, samplingRate: 16_000 }, {}),
      'invalid_audio',
    );
  });
});
