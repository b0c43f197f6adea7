// Many questions at once: the engine batches them; results come in the order of the questions.
import { LLM } from '../lib/index.js';

const FOLDER = 'models/demo/samples/';
const questions = [
  { type: 'image', image: `${FOLDER}text-1.png`, text: 'What does it say?' },
  { type: 'audio', audio: `${FOLDER}speech-1.wav`, text: 'Transcribe the audio.' },
  { type: 'audio', audio: `${FOLDER}beeps-1.wav`, text: "What's in this audio?" },
];

const llm = await LLM.load();
try {
  const conversations = questions.map(({ text, ...media }) => [
    { role: 'user', content: [media, { type: 'text', text }] },
  ]);
  const results = await llm.chat(conversations, {
    temperature: 0,
    onProgress: ({ numDone, numTotal }) => console.error(`${numDone}/${numTotal}`),
  });
  for (const { outputs } of results) console.log(outputs[0]!.text);
} finally {
  await llm.close();
}
