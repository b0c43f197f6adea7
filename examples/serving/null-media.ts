// sensorium serve --enable-mm-embeds
// Media that the server knows by their ids are not sent again, whatever their kind.
import { readFile } from 'node:fs/promises';
import { connect, content } from '../support/client.js';
import { SAMPLES } from '../support/demo.js';

const { client, model, close } = await connect({ enableMmEmbeds: true });

const base64 = async (name: string): Promise<string> =>
  (await readFile(`${SAMPLES}/${name}`)).toString('base64');
const ask = async (part: object, text: string): Promise<void> => {
  const completion = await client.chat.completions.create({
    model,
    messages: [{ role: 'user', content: content(part, { type: 'text', text }) }],
  });
  console.log(completion.choices[0]!.message.content);
};

const questions = [
  {
    text: "What's in this image?",
    sent: { type: 'image_url', image_url: { url: `data:image/png;base64,${await base64('shape-1.png')}` } },
    known: { type: 'image_url', image_url: null },
  },
  {
    text: 'Describe this video.',
    sent: { type: 'video_url', video_url: { url: `data:image/webp;base64,${await base64('video-1.webp')}` } },
    known: { type: 'video_url', video_url: null },
  },
  {
    text: 'Transcribe the audio.',
    sent: { type: 'input_audio', input_audio: { data: await base64('speech-1.wav'), format: 'wav' } },
    known: { type: 'input_audio', input_audio: null },
  },
  {
    text: 'Describe this image.',
    sent: {
      type: 'image_embeds',
      image_embeds: { image_embeds: await base64('shape-2.embeds.npy'), image_grid_thw: [1, 12, 18] },
    },
    known: { type: 'image_embeds', image_embeds: null },
  },
];
for (const [i, { text, sent, known }] of questions.entries()) {
  await ask({ ...sent, uuid: `medium-${i}` }, text);
  await ask({ ...known, uuid: `medium-${i}` }, text);
}
await close();
