// Asks about pictures in process: one answer at once, one as it comes.
import { LLM } from '../lib/index.js';

const [path = 'models/demo/samples/shape-2.jpg', question = 'Describe this image.'] = process.argv.slice(2);
const messages = [
  {
    role: 'user',
    content: [
      { type: 'image', image: path },
      { type: 'text', text: question },
    ],
  },
];

const llm = await LLM.load();
try {
  const { outputs, usage } = await llm.chat(messages, { temperature: 0 });
  console.log(outputs[0]!.text);
  console.log(`${usage.imageTokens} image tokens, ${usage.completionTokens} answer tokens`);
  for await (const { text } of llm.chatStream(messages, { temperature: 0 })) process.stdout.write(text);
  console.log();
} finally {
  await llm.close();
}
