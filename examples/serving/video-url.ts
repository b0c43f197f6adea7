// sensorium serve --allow-private-media-addresses
// A video by its URL.
import { connect, content } from '../support/client.js';
import { serveSamples } from '../support/file-server.js';

const files = await serveSamples();
const { client, model, close } = await connect({ allowPrivateMediaAddresses: true });

// A WebP animation needs no ffmpeg on the server's machine; MP4 and WebM do.
const videoUrl = `${files.url}/video-1.webp`;
const completion = await client.chat.completions.create({
  model,
  messages: [
    {
      role: 'user',
      content: content(
        { type: 'video_url', video_url: { url: videoUrl }, uuid: videoUrl },
        { type: 'text', text: 'Describe this video.' },
      ),
    },
  ],
  max_completion_tokens: 64,
});
console.log('Chat completion output from video url:', completion.choices[0]!.message.content);
await close();
files.close();
