// Sound as samples and their rate.
import { readFile } from 'node:fs/promises';
import { LLM } from '../../lib/index.js';
import { AUDIO, prompt, SAMPLES } from '../support/demo.js';

// The samples of a 16-bit mono WAV file follow its header.
const file = await readFile(`${SAMPLES}/speech-1.wav`);
const samplingRate = file.readUInt32LE(24);
const samples = Float32Array.from(
  { length: (file.length - 44) / 2 },
  (_, i) => file.readInt16LE(44 + 2 * i) / 32768,
);

const llm = await LLM.load();
const { outputs } = await llm.generate({
  prompt: prompt(`${AUDIO}Transcribe the audio.`),
  multiModalData: { audio: [samples, samplingRate] },
});
console.log(outputs[0]!.text);
await llm.close();
