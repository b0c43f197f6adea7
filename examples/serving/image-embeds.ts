// sensorium serve --enable-mm-embeds
// An image as rows of the model's own encoder: base64 of a tensor that torch.save, NumPy or safetensors wrote.
import { readFile } from 'node:fs/promises';
import { connect, content } from '../support/client.js';
import { SAMPLES } from '../support/demo.js';

const { client, model, close } = await connect({ enableMmEmbeds: true });

const read = async (name: string): Promise<string> =>
  (await readFile(`${SAMPLES}/${name}.embeds.npy`)).toString('base64');
const ask = async (question: string, ...parts: object[]): Promise<void> => {
  const completion = await client.chat.completions.create({
    model,
    messages: [{ role: 'user', content: content(...parts, { type: 'text', text: question }) }],
  });
  console.log(completion.choices[0]!.message.content);
};

// Basic usage: the tensor alone
await ask('Transcribe the audio.', { type: 'audio_embeds', audio_embeds: await read('speech-1') });

// With what else the model needs to know of it
const image = {
  type: 'image_embeds',
  image_embeds: {
    image_embeds: await read('shape-1'), // Required
    image_grid_thw: [1, 16, 16], // Required by models of Qwen2-VL's kind; base64 of a tensor works too
  },
  uuid: 'shape-1', // Optional
};
await ask("What's in this image?", image);

// Several in one request
const second = {
  type: 'image_embeds',
  image_embeds: { image_embeds: await read('shape-2'), image_grid_thw: [1, 12, 18] },
};
await ask('Describe the differences.', image, second);
await close();
