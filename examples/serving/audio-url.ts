// sensorium serve --allow-private-media-addresses
// A sound by its URL.
import { connect, content } from '../support/client.js';
import { serveSamples } from '../support/file-server.js';

const files = await serveSamples();
const { client, model, close } = await connect({ allowPrivateMediaAddresses: true });

const audioUrl = `${files.url}/speech-1.wav`;
const completion = await client.chat.completions.create({
  model,
  messages: [
    {
      role: 'user',
      content: content(
        { type: 'audio_url', audio_url: { url: audioUrl }, uuid: audioUrl },
        { type: 'text', text: 'Transcribe the audio.' },
      ),
    },
  ],
  max_completion_tokens: 64,
});
console.log('Chat completion output from audio url:', completion.choices[0]!.message.content);
await close();
files.close();
