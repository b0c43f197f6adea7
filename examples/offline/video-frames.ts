// A video as an array of its frames' pixels, with what is known of the clip they were taken from.
import sharp from 'sharp';
import { LLM } from '../../lib/index.js';
import { prompt, SAMPLES, VIDEO } from '../support/demo.js';

const FPS = 10;
const NUM_FRAMES = 30;
const clip = sharp(`${SAMPLES}/video-1.webp`, { pages: -1 }).removeAlpha().raw();
const { data, info } = await clip.toBuffer({ resolveWithObject: true });
const height = info.height / NUM_FRAMES;
const frameBytes = info.width * height * 3;

// Every fifth frame: two a second
const indices = [0, 5, 10, 15, 20, 25];
const frames = Buffer.concat(indices.map((i) => data.subarray(i * frameBytes, (i + 1) * frameBytes)));

const llm = await LLM.load();
const { outputs } = await llm.generate({
  prompt: prompt(`${VIDEO}Describe this video.`),
  multiModalData: {
    video: [
      { data: frames, shape: [indices.length, height, info.width, 3] },
      { fps: FPS, frames_indices: indices, total_num_frames: NUM_FRAMES, duration: NUM_FRAMES / FPS },
    ],
  },
});
console.log(outputs[0]!.text);
await llm.close();
