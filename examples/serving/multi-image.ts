// sensorium serve --limit-mm-per-prompt '{"image": 2}' --allow-private-media-addresses
// Two images in one message.
import { connect, content } from '../support/client.js';
import { serveSamples } from '../support/file-server.js';

const files = await serveSamples();
const { client, model, close } = await connect({
  limitMmPerPrompt: { image: 2 },
  allowPrivateMediaAddresses: true,
});

const urls = [`${files.url}/shape-1.png`, `${files.url}/shape-2.jpg`];
const completion = await client.chat.completions.create({
  model,
  messages: [
    {
      role: 'user',
      content: content(...urls.map((url) => ({ type: 'image_url', image_url: { url }, uuid: url })), {
        type: 'text',
        text: 'Describe the differences.',
      }),
    },
  ],
});
console.log('Chat completion output:', completion.choices[0]!.message.content);
await close();
files.close();
