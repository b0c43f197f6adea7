// Frames of a video as many images of one message.
import sharp from 'sharp';
import { LLM } from '../../lib/index.js';
import { SAMPLES } from '../support/demo.js';

// The number of frames per video is limited to 4. This can be changed.
const llm = await LLM.load({ limitMmPerPrompt: { image: 4 } });

const frames = await Promise.all(
  [0, 9, 19, 29].map((page) => sharp(`${SAMPLES}/video-1.webp`, { page }).jpeg().toBuffer()),
);
const { outputs, usage } = await llm.chat([
  {
    role: 'user',
    content: [
      {
        type: 'text',
        text: 'Describe this set of frames. Consider the frames to be a part of the same video.',
      },
      ...frames.map((frame) => ({
        type: 'image_url',
        image_url: { url: `data:image/jpeg;base64,${frame.toString('base64')}` },
      })),
    ],
  },
]);
console.log(outputs[0]!.text);
console.log(`${usage.imageTokens} image tokens`);
await llm.close();
