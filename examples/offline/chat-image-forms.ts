// A conversation whose images come as a URL, as a sharp object and as ready-made embeddings.
import { readFile } from 'node:fs/promises';
import sharp from 'sharp';
import { LLM } from '../../lib/index.js';
import { SAMPLES } from '../support/demo.js';
import { serveSamples } from '../support/file-server.js';

const files = await serveSamples();
// The samples lie on this machine: nothing but this option lets a URL reach it.
const llm = await LLM.load({ enableMmEmbeds: true, allowPrivateMediaAddresses: true });

const forms = [
  { type: 'image_url', image_url: { url: `${files.url}/shape-1.png` } },
  { type: 'image_pil', image_pil: sharp(`${SAMPLES}/shape-1.png`) },
  {
    type: 'image_embeds',
    image_embeds: {
      image_embeds: await readFile(`${SAMPLES}/shape-1.embeds.npy`),
      image_grid_thw: { data: [1, 16, 16], shape: [3] },
    },
  },
];
for (const form of forms) {
  const { outputs } = await llm.chat([
    { role: 'system', content: 'You are Sensorium, a helpful assistant.' },
    { role: 'user', content: [form, { type: 'text', text: "What's in this image?" }] },
  ]);
  console.log(outputs[0]!.text);
}

// All of them in one message
const { usage } = await llm.chat([
  { role: 'user', content: [...forms, { type: 'text', text: "What's in these images?" }] },
]);
console.log(`${usage.imageTokens} image tokens`);
await llm.close();
files.close();
