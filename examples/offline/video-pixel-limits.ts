// A video file whose frames are held to a number of pixels, each and all together.
import { LLM } from '../../lib/index.js';
import { SAMPLES } from '../support/demo.js';

const llm = await LLM.load({ limitMmPerPrompt: { video: 1 } });
const { outputs, usage } = await llm.chat(
  [
    { role: 'system', content: 'You are Sensorium, a helpful assistant.' },
    {
      role: 'user',
      content: [
        {
          type: 'video',
          video: `${SAMPLES}/video-1.webp`,
          total_pixels: 128 * 28 * 28,
          min_pixels: 16 * 28 * 28,
        },
        { type: 'text', text: 'Describe this video.' },
      ],
    },
  ],
  { maxTokens: 1024 },
);
console.log(outputs[0]!.text);
console.log(`${usage.videoTokens} video tokens`);
await llm.close();
