// sensorium serve --media-io-kwargs '{"video": {"frame_recovery": true}}'
// A damaged video: frames that cannot be read are taken from their neighbours. Needs ffmpeg on the server's machine.
import { readFile } from 'node:fs/promises';
import { connect, content } from '../support/client.js';
import { SAMPLES } from '../support/demo.js';

const { client, model, close } = await connect({ mediaIoKwargs: { video: { frame_recovery: true } } });

const damaged = await readFile(`${SAMPLES}/video-1.mp4`);
const start = Math.floor(damaged.length * 0.6);
damaged.fill(0, start, start + 2000);
const completion = await client.chat.completions.create({
  model,
  messages: [
    {
      role: 'user',
      content: content(
        { type: 'video_url', video_url: { url: `data:video/mp4;base64,${damaged.toString('base64')}` } },
        { type: 'text', text: 'Describe this video.' },
      ),
    },
  ],
});
console.log('Chat completion output:', completion.choices[0]!.message.content);
await close();
