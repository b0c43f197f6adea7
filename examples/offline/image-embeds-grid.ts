// Embeddings of several images with their grids, and embeddings beside an image itself.
import { readFile } from 'node:fs/promises';
import { LLM } from '../../lib/index.js';
import { IMAGE, prompt, SAMPLES } from '../support/demo.js';

const llm = await LLM.load({ limitMmPerPrompt: { image: 4 }, enableMmEmbeds: true });
const question = prompt(`${IMAGE}${IMAGE}Describe the differences.`);
const first = await readFile(`${SAMPLES}/shape-1.embeds.npy`);
const second = await readFile(`${SAMPLES}/shape-2.embeds.npy`);

const both = await llm.generate({
  prompt: question,
  multiModalData: {
    image: {
      // One tensor of shape (num_images, image_feature_size, hidden_size), or one for each image
      image_embeds: [first, second],
      // Needed to calculate the positions: a tensor of shape (num_images, 3)
      image_grid_thw: { data: [1, 16, 16, 1, 12, 18], shape: [2, 3] },
    },
  },
});
console.log(both.outputs[0]!.text);

const mixed = await llm.generate({
  prompt: question,
  multiModalData: {
    image: [
      { image_embeds: first, image_grid_thw: { data: [1, 16, 16], shape: [3] } },
      `${SAMPLES}/shape-2.jpg`,
    ],
  },
});
console.log(mixed.outputs[0]!.text);
await llm.close();
