// Stereo sound, channels first or channels last: it is mixed to mono by itself.
import { readFile } from 'node:fs/promises';
import { LLM } from '../../lib/index.js';
import { AUDIO, prompt, SAMPLES } from '../support/demo.js';

const file = await readFile(`${SAMPLES}/speech-1.wav`);
const samplingRate = file.readUInt32LE(24);
const length = (file.length - 44) / 2;

// The speech on the left and silence on the right, as [channels, time] and as [time, channels]
const channelsFirst = new Float32Array(2 * length);
const channelsLast = new Float32Array(2 * length);
for (let i = 0; i < length; i++) {
  const sample = file.readInt16LE(44 + 2 * i) / 32768;
  channelsFirst[i] = sample;
  channelsLast[2 * i] = sample;
}

const llm = await LLM.load();
for (const audio of [
  { data: channelsFirst, shape: [2, length] },
  { data: channelsLast, shape: [length, 2] },
]) {
  const { outputs } = await llm.generate({
    prompt: prompt(`${AUDIO}Transcribe the audio.`),
    multiModalData: { audio: [audio, samplingRate] },
  });
  console.log(`[${audio.shape.join(', ')}]: ${outputs[0]!.text}`);
}
await llm.close();
