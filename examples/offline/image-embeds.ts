// Rows that the model's own encoder made of an image before, instead of the image.
import { readFile } from 'node:fs/promises';
import { LLM } from '../../lib/index.js';
import { IMAGE, prompt, SAMPLES } from '../support/demo.js';

// Only for callers that you trust: without the option embeddings are refused.
const llm = await LLM.load({ enableMmEmbeds: true });
const { outputs } = await llm.generate({
  prompt: prompt(`${IMAGE}What's in this image?`),
  multiModalData: {
    image: {
      // A tensor of shape (1, image_feature_size, hidden_size), here in a file of NumPy
      image_embeds: await readFile(`${SAMPLES}/shape-1.embeds.npy`),
      // The demo model wants to know the patches that the rows stand for: time, height, width.
      image_grid_thw: { data: [1, 16, 16], shape: [1, 3] },
    },
  },
});
console.log(outputs[0]!.text);
await llm.close();
