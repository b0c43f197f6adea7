// One image, as a sharp object; then several prompts at once.
import sharp from 'sharp';
import { LLM } from '../../lib/index.js';
import { IMAGE, prompt, SAMPLES } from '../support/demo.js';

const llm = await LLM.load();

// Single prompt inference
const single = await llm.generate({
  prompt: prompt(`${IMAGE}What is the content of this image?`),
  multiModalData: { image: sharp(`${SAMPLES}/shape-3.png`) },
});
console.log(single.outputs[0]!.text);

// Batch inference
const results = await llm.generate([
  {
    prompt: prompt(`${IMAGE}What's in this image?`),
    multiModalData: { image: sharp(`${SAMPLES}/shape-1.png`) },
  },
  {
    prompt: prompt(`${IMAGE}What does it say?`),
    multiModalData: { image: sharp(`${SAMPLES}/text-1.png`) },
  },
]);
for (const { outputs } of results) console.log(outputs[0]!.text);
await llm.close();
