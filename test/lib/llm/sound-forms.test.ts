import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { ErrorCode } from '../../../lib/errors.js';
import type { AudioInput } from '../../../lib/llm.js';
import {
  DemoModel,
  SPEECH,
  GREEDY,
  SPEECH_ANSWER,
  turn,
  AUDIO,
  ASK_AUDIO,
  user,
  hasCode,
} from './support/demo-model.js';

const demo = new DemoModel();

describe('sounds in process', () => {
  const wav = readFileSync(SPEECH);
  const rate = wav.readUInt32LE(24);
  const numSamples = (wav.length - 44) / 2;
  const mono = Float32Array.from({ length: numSamples }, (_, i) => wav.readInt16LE(44 + 2 * i) / 32_768);
  /** Channels whose mean is the speech, although none of them is. */
  const channels = Array.from({ length: 6 }, (_, c) => mono.map((sample, i) => sample + noise(c, i)));

  function noise(channel: number, i: number): number {
    return channel === 5 ? 0.05 * (i % 5) : -0.01 * (i % 5);
  }

  test('as samples with or without a rate', async () => {
    const pcm = Int16Array.from(mono, (sample) => sample * 32_768);
    const forms: Record<string, AudioInput> = {
      path: SPEECH,
      bytes: wav,
      '[Float32Array, rate]': [mono, rate],
      '[numbers, rate]': [[...mono], rate],
      '[Int16Array, rate]': [pcm, rate],
      '[Float64Array, rate]': [Float64Array.from(mono), rate],
      '{ samples, samplingRate }': { samples: mono, samplingRate: rate },
      '{ array, sampling_rate }': { array: mono, sampling_rate: rate },
      'samples at the native rate': mono,
      'numbers at the native rate': [...mono],
    };
    for (const [name, audio] of Object.entries(forms)) {
      assert.equal(await demo.answer(ASK_AUDIO, { audio }), SPEECH_ANSWER, name);
    }
    const part = { type: 'audio', audio: [mono, rate] };
    const { outputs } = await demo.llm.chat(
      user(part, { type: 'text', text: 'Transcribe the audio.' }),
      GREEDY,
    );
    assert.equal(outputs[0]?.text, SPEECH_ANSWER);
  });

  test('of several channels, channels first and channels last', async () => {
    const first = new Float32Array(6 * numSamples);
    const last = new Float32Array(6 * numSamples);
    for (const [c, channel] of channels.entries()) {
      first.set(channel, c * numSamples);
      for (let i = 0; i < numSamples; i++) last[i * 6 + c] = channel[i] as number;
    }
    const stereo = Float32Array.from({ length: 2 * numSamples }, (_, i) => mono[i % numSamples] as number);
    const forms: Record<string, AudioInput> = {
      stereo: [{ data: stereo, shape: [2, numSamples] }, rate],
      '5.1, channels first': [{ data: first, shape: [6, numSamples] }, rate],
      '5.1, channels last': [{ data: last, shape: [numSamples, 6] }, rate],
      'an array a channel': [channels, rate],
      '{ data, shape, samplingRate }': { data: last, shape: [numSamples, 6], samplingRate: rate },
    };
    for (const [name, audio] of Object.entries(forms)) {
      assert.equal(await demo.answer(ASK_AUDIO, { audio }), SPEECH_ANSWER, name);
    }
  });

  test('several, each with its own rate', async () => {
    const { usage } = await demo.llm.generate(
      {
        prompt: turn(`${AUDIO}${AUDIO}Compare.`),
        multiModalData: { audio: [[mono, rate], mono] },
      },
      { ...GREEDY, maxTokens: 1 },
    );
    assert.ok(usage.audioTokens > 0);
  });

  test('what is no sound is refused', async () => {
    const refuse = async (audio: unknown, code: ErrorCode, message: RegExp): Promise<void> =>
      assert.rejects(demo.answer(ASK_AUDIO, { audio: audio as AudioInput }), hasCode(code, message));
    await refuse([new Float32Array(0), rate], 'invalid_audio', /no samples/);
    await refuse([[NaN, 0], rate], 'invalid_audio', /finite/);
    await refuse([new Float32Array([0, Infinity]), rate], 'invalid_audio', /finite/);
    await refuse([mono, 0], 'invalid_value', /sampling rate/);
    await refuse([mono, NaN], 'invalid_value', /sampling rate/);
    await refuse([mono, 1e9], 'invalid_audio', /sampling rate/);
    await refuse([{ data: mono, shape: [1, 1, numSamples] }, rate], 'invalid_audio', /3 dimensions/);
    await refuse([{ data: mono, shape: [2, numSamples] }, rate], 'invalid_audio', /do not fill/);
    await refuse([[mono, mono.subarray(1)], rate], 'invalid_audio', /different lengths/);
    await refuse([[['a']], rate], 'invalid_audio', /not samples/);
    await refuse(new BigInt64Array(4), 'invalid_type', /samplingRate/);
  });
});
