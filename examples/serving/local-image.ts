// sensorium serve --allowed-local-media-path models/demo/samples
// An image in a folder of the server's machine that it may read from.
import { realpath } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { connect } from '../support/client.js';
import { SAMPLES } from '../support/demo.js';

const folder = await realpath(SAMPLES);
const { client, model, close } = await connect({ allowedLocalMediaPath: folder });

const completion = await client.chat.completions.create({
  model,
  messages: [
    {
      role: 'user',
      content: [
        { type: 'image_url', image_url: { url: pathToFileURL(`${folder}/shape-1.png`).href } },
        { type: 'text', text: "What's in this image?" },
      ],
    },
  ],
});
console.log('Chat completion output from local image file:', completion.choices[0]!.message.content);
await close();
