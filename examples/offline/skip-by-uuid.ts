// An image that the cache knows by its id is not sent again. Where it is not known, the error says so.
import { LLM, SensoriumError } from '../../lib/index.js';
import { IMAGE, prompt, SAMPLES } from '../support/demo.js';

const llm = await LLM.load();
const known = { image: ['sku-1234-a', null] };
const question = prompt(`${IMAGE}${IMAGE}Describe the differences.`);
const second = `${SAMPLES}/shape-2.jpg`;

try {
  await llm.generate({
    prompt: question,
    multiModalData: { image: [null, second] },
    multiModalUuids: known,
  });
} catch (error) {
  if (!(error instanceof SensoriumError)) throw error;
  console.log(error.code, error.details);
}

const first = `${SAMPLES}/shape-1.png`;
await llm.generate({
  prompt: question,
  multiModalData: { image: [first, second] },
  multiModalUuids: known,
});
const { outputs } = await llm.generate({
  prompt: question,
  multiModalData: { image: [null, second] },
  multiModalUuids: known,
});
console.log(outputs[0]!.text);
await llm.close();
