import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { SensoriumError, type ErrorCode } from '../../../../lib/errors.js';
import {
  LLM,
  type ChatMessageInput,
  type MultiModalData,
  type MultiModalPrompt,
} from '../../../../lib/llm.js';
import { REPOSITORY } from '../../support/goldens.js';

export const SAMPLES = join(REPOSITORY, 'models', 'demo', 'samples');
export const SHAPE = join(SAMPLES, 'shape-1.png');
export const CLIP = join(SAMPLES, 'video-1.webp');
export const SPEECH = join(SAMPLES, 'speech-1.wav');
export const GREEDY = { temperature: 0, maxTokens: 32 };

export const SHAPE_ANSWER = 'a white rectangle on a gray background.';
export const CLIP_ANSWER = 'a pink heart moves from left to right.';
export const SPEECH_ANSWER = 'the audio says "nine eight nine".';

/** A prompt of the demo model. */
export const turn = (content: string): string =>
  '<|im_start|>system\nYou are Sensorium, a helpful assistant.<|im_end|>\n' +
  `<|im_start|>user\n${content}<|im_end|>\n<|im_start|>assistant\n`;
export const IMAGE = '<|vision_bos|><|IMAGE|><|vision_eos|>';
export const VIDEO = '<|vision_bos|><|VIDEO|><|vision_eos|>';
export const AUDIO = '<|audio_bos|><|AUDIO|><|audio_eos|>';
export const ASK_IMAGE = turn(`${IMAGE}What's in this image?`);
export const ASK_VIDEO = turn(`${VIDEO}Describe this video.`);
export const ASK_AUDIO = turn(`${AUDIO}Transcribe the audio.`);

export const user = (...content: Record<string, unknown>[]): ChatMessageInput[] => [
  { role: 'user', content },
];

/** Checks an error's code, and what its text and `param` are where that is given. */
export const hasCode =
  (code: ErrorCode, message?: RegExp, param?: string) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof SensoriumError);
    assert.equal(error.code, code, error.message);
    if (message !== undefined) assert.match(error.message, message);
    if (param !== undefined) assert.equal(error.param, param);
    return true;
  };

/** The demo model of a test file, loaded before its tests and closed after them. */
export class DemoModel {
  private loaded: LLM | undefined;

  constructor() {
    before(async () => {
      this.loaded = await LLM.load({ maxModelLen: 4096 });
    });
    after(() => this.loaded?.close());
  }

  get llm(): LLM {
    assert.ok(this.loaded);
    return this.loaded;
  }

  async answer(
    prompt: string,
    multiModalData: MultiModalData,
    extra: Partial<MultiModalPrompt> = {},
  ): Promise<string | undefined> {
    const { outputs } = await this.llm.generate({ prompt, multiModalData, ...extra }, GREEDY);
    return outputs[0]?.text;
  }
}
