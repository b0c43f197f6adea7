// sensorium serve
// A sound in the request itself.
import { readFile } from 'node:fs/promises';
import { connect, content } from '../support/client.js';
import { SAMPLES } from '../support/demo.js';

const { client, model, close } = await connect();

const sound = await readFile(`${SAMPLES}/speech-1.wav`);
const completion = await client.chat.completions.create({
  model,
  messages: [
    {
      role: 'user',
      content: content(
        {
          type: 'input_audio',
          input_audio: { data: sound.toString('base64'), format: 'wav' },
          uuid: 'speech-1',
        },
        { type: 'text', text: 'Transcribe the audio.' },
      ),
    },
  ],
  max_completion_tokens: 64,
});
console.log('Chat completion output from input audio:', completion.choices[0]!.message.content);
await close();
