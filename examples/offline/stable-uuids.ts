// Two images with ids of your own: what is known by its id is not read, decoded or encoded again.
import { LLM } from '../../lib/index.js';
import { IMAGE, prompt, SAMPLES } from '../support/demo.js';

const llm = await LLM.load();
const { outputs } = await llm.generate({
  prompt: prompt(`${IMAGE}${IMAGE}Describe the differences.`),
  multiModalData: { image: [`${SAMPLES}/shape-1.png`, `${SAMPLES}/shape-2.jpg`] },
  // As many entries as items; null: the item is known by the hash of its content.
  multiModalUuids: { image: ['sku-1234-a', null] },
});
console.log(outputs[0]!.text);
await llm.close();
