// Sensorium's routes inside an Express application of your own, asked by the openai client.
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import express from 'express';
import OpenAI from 'openai';
import { LLM } from '../lib/index.js';
import { createApp } from '../lib/server/index.js';

const llm = await LLM.load();
const app = express();
app.get('/', (_request, response) => {
  response.send('my application');
});
app.use('/ai', createApp(llm, { apiKeys: ['secret'] }));
const server = app.listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));

const { port } = server.address() as AddressInfo;
const client = new OpenAI({ baseURL: `http://127.0.0.1:${port}/ai/v1`, apiKey: 'secret' });
const sound = await readFile('models/demo/samples/speech-1.wav');
const stream = await client.chat.completions.create({
  model: llm.modelId,
  temperature: 0,
  stream: true,
  messages: [
    {
      role: 'user',
      content: [
        { type: 'input_audio', input_audio: { data: sound.toString('base64'), format: 'wav' } },
        { type: 'text', text: 'Transcribe the audio.' },
      ],
    },
  ],
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '');
console.log();

server.close();
server.closeAllConnections();
await llm.close();
