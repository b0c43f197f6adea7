// What the examples share: the demo model's samples and the way its prompts are written.
export const SAMPLES = 'models/demo/samples';

/** One item in a prompt of the demo model; other models spell theirs as their checkpoints document it. */
export const IMAGE = '<|vision_bos|><|IMAGE|><|vision_eos|>';
export const VIDEO = '<|vision_bos|><|VIDEO|><|vision_eos|>';
export const AUDIO = '<|audio_bos|><|AUDIO|><|audio_eos|>';

/** A prompt that asks the demo model one question. */
export const prompt = (content: string): string =>
  '<|im_start|>system\nYou are Sensorium, a helpful assistant.<|im_end|>\n' +
  `<|im_start|>user\n${content}<|im_end|>\n<|im_start|>assistant\n`;
