// Several images in one prompt, up to the number that the model is loaded with.
import { LLM } from '../../lib/index.js';
import { IMAGE, prompt, SAMPLES } from '../support/demo.js';

const llm = await LLM.load({ maxModelLen: 4096, limitMmPerPrompt: { image: 2 } });
const { outputs } = await llm.generate({
  prompt: prompt(`${IMAGE}${IMAGE}Describe the differences.`),
  multiModalData: { image: [`${SAMPLES}/shape-1.png`, `${SAMPLES}/shape-2.jpg`] },
});
console.log(outputs[0]!.text);
await llm.close();
