// sensorium serve --allow-private-media-addresses
// An image by its URL, with an id of your own.
import { connect, content } from '../support/client.js';
import { serveSamples } from '../support/file-server.js';

const files = await serveSamples();
// The samples lie on this machine; a URL of the public web needs no option.
const { client, model, close } = await connect({ allowPrivateMediaAddresses: true });

const imageUrl = `${files.url}/shape-1.png`;
const completion = await client.chat.completions.create({
  model,
  messages: [
    {
      role: 'user',
      content: content(
        // No placeholder is needed in the text: the image stands where it is among the parts.
        { type: 'image_url', image_url: { url: imageUrl }, uuid: imageUrl },
        { type: 'text', text: "What's in this image?" },
      ),
    },
  ],
});
console.log('Chat completion output:', completion.choices[0]!.message.content);
await close();
files.close();
