// Rows that the model's own encoder made of a sound before, instead of the sound.
import { readFile } from 'node:fs/promises';
import { LLM } from '../../lib/index.js';
import { AUDIO, prompt, SAMPLES } from '../support/demo.js';

const llm = await LLM.load({ enableMmEmbeds: true });
const { outputs } = await llm.generate({
  prompt: prompt(`${AUDIO}Transcribe the audio.`),
  // A tensor of shape (1, audio_feature_size, hidden_size)
  multiModalData: { audio: { audio_embeds: await readFile(`${SAMPLES}/speech-1.embeds.npy`) } },
});
console.log(outputs[0]!.text);
await llm.close();
