// sensorium serve --media-io-kwargs '{"image": {"rgba_background_color": [0, 0, 0]}}'
// Transparent pixels show black instead of white.
import sharp from 'sharp';
import { connect } from '../support/client.js';

const { client, model, close } = await connect({
  mediaIoKwargs: { image: { rgba_background_color: [0, 0, 0] } },
});

// A white square on nothing
const square = await sharp({ create: { width: 60, height: 60, channels: 3, background: 'white' } })
  .extend({ top: 50, bottom: 50, left: 50, right: 50, background: { r: 0, g: 0, b: 0, alpha: 0 } })
  .png()
  .toBuffer();
const completion = await client.chat.completions.create({
  model,
  messages: [
    {
      role: 'user',
      content: [
        { type: 'image_url', image_url: { url: `data:image/png;base64,${square.toString('base64')}` } },
        { type: 'text', text: "What's in this image?" },
      ],
    },
  ],
});
console.log('On black:', completion.choices[0]!.message.content);
await close();
