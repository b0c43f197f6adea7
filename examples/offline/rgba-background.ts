// What shows through the transparent pixels of an image: white, or a colour of your own.
import sharp from 'sharp';
import { LLM } from '../../lib/index.js';

// A white square on nothing
const square = await sharp({
  create: { width: 60, height: 60, channels: 3, background: 'white' },
})
  .extend({ top: 50, bottom: 50, left: 50, right: 50, background: { r: 0, g: 0, b: 0, alpha: 0 } })
  .png()
  .toBuffer();
const messages = [
  {
    role: 'user',
    content: [
      { type: 'image', image: square },
      { type: 'text', text: "What's in this image?" },
    ],
  },
];

// Black background for a dark theme; without the option it is white.
const dark = await LLM.load({ mediaIoKwargs: { image: { rgba_background_color: [0, 0, 0] } } });
console.log(`On black: ${(await dark.chat(messages)).outputs[0]!.text}`);

// Another colour for one call
const onBlue = await dark.chat(messages, {
  mediaIoKwargs: { image: { rgba_background_color: [0, 0, 255] } },
});
console.log(`On blue: ${onBlue.outputs[0]!.text}`);
await dark.close();

// The same by an option of its own
const brand = await LLM.load({ rgbaBackgroundColor: [0, 0, 255] });
console.log(`On blue: ${(await brand.chat(messages)).outputs[0]!.text}`);
await brand.close();
