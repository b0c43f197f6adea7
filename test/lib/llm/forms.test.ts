import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import sharp, { type Sharp } from 'sharp';
import { SensoriumError, type ErrorCode } from '../../../lib/errors.js';
import {
  LLM,
  type AudioInput,
  type ChatMessageInput,
  type ImageInput,
  type MultiModalData,
  type MultiModalPrompt,
  type VideoInput,
} from '../../../lib/llm.js';
import { REPOSITORY } from '../support/goldens.js';

const SAMPLES = join(REPOSITORY, 'models', 'demo', 'samples');
const SHAPE = join(SAMPLES, 'shape-1.png');
const CLIP = join(SAMPLES, 'video-1.webp');
const SPEECH = join(SAMPLES, 'speech-1.wav');
const GREEDY = { temperature: 0, maxTokens: 32 };

const SHAPE_ANSWER = 'a white rectangle on a gray background.';
const CLIP_ANSWER = 'a pink heart moves from left to right.';
const SPEECH_ANSWER = 'the audio says "nine eight nine".';

const turn = (content: string): string =>
  '<|im_start|>system\nYou are Sensorium, a helpful assistant.<|im_end|>\n' +
  `<|im_start|>user\n${content}<|im_end|>\n<|im_start|>assistant\n`;
const ASK_IMAGE = turn("<|vision_bos|><|IMAGE|><|vision_eos|>What's in this image?");
const ASK_VIDEO = turn('<|vision_bos|><|VIDEO|><|vision_eos|>Describe this video.');
const ASK_AUDIO = turn('<|audio_bos|><|AUDIO|><|audio_eos|>Transcribe the audio.');

const user = (...content: Record<string, unknown>[]): ChatMessageInput[] => [{ role: 'user', content }];
const hasCode =
  (code: ErrorCode, message?: RegExp, param?: string) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof SensoriumError);
    assert.equal(error.code, code, error.message);
    if (message !== undefined) assert.match(error.message, message);
    if (param !== undefined) assert.equal(error.param, param);
    return true;
  };

let llm: LLM;
before(async () => (llm = await LLM.load({ maxModelLen: 4096 })));
after(() => llm.close());

async function answer(
  prompt: string,
  multiModalData: MultiModalData,
  extra: Partial<MultiModalPrompt> = {},
): Promise<string | undefined> {
  const { outputs } = await llm.generate({ prompt, multiModalData, ...extra }, GREEDY);
  return outputs[0]?.text;
}

describe('pictures in process', () => {
  test('as bytes, path, URL, sharp object, and pixels in every layout', async () => {
    const raw = await sharp(SHAPE).raw().toBuffer({ resolveWithObject: true });
    const { width, height, channels } = raw.info;
    const planes = Buffer.alloc(raw.data.length);
    const numPixels = width * height;
    for (let i = 0; i < raw.data.length; i++) {
      planes[(i % channels) * numPixels + Math.floor(i / channels)] = raw.data[i] as number;
    }
    const pixels = new Uint8ClampedArray(raw.data);
    const forms: Record<string, ImageInput> = {
      bytes: readFileSync(SHAPE),
      ArrayBuffer: new Uint8Array(readFileSync(SHAPE)).buffer,
      path: SHAPE,
      'file: URL': pathToFileURL(SHAPE),
      'data: URL': `data:image/png;base64,${readFileSync(SHAPE).toString('base64')}`,
      'an object with a url': { url: pathToFileURL(SHAPE) },
      'sharp of a path': sharp(SHAPE),
      'sharp of bytes': sharp(readFileSync(SHAPE)),
      'what sharp resolves with': raw,
      pixels: { data: raw.data, width, height, channels },
      ImageData: { data: pixels, width, height },
      '[h, w, c]': { data: raw.data, shape: [height, width, channels] },
      '[c, h, w]': { data: planes, shape: [channels, height, width] },
      '[1, h, w, c]': { data: raw.data, shape: [1, height, width, channels] },
    };
    for (const [name, image] of Object.entries(forms)) {
      assert.equal(await answer(ASK_IMAGE, { image }), SHAPE_ANSWER, name);
      assert.equal(await answer(ASK_IMAGE, { image: [image] }), SHAPE_ANSWER, `a list of ${name}`);
    }
  });

  test('a sharp object is turned upright and stays usable', async () => {
    const turned = await sharp(SHAPE).rotate(90).withMetadata({ orientation: 8 }).jpeg().toBuffer();
    const image = sharp(turned);
    const upright = await llm.generate({ prompt: ASK_IMAGE, multiModalData: { image: turned } }, GREEDY);
    const bySharp = await llm.generate({ prompt: ASK_IMAGE, multiModalData: { image } }, GREEDY);
    assert.deepEqual(bySharp.promptTokenIds, upright.promptTokenIds);
    assert.equal(bySharp.outputs[0]?.text, upright.outputs[0]?.text);
    assert.equal((await image.metadata()).orientation, 8);
    assert.equal((await image.jpeg().toBuffer()).subarray(0, 3).toString('hex'), 'ffd8ff');
  });

  test('in chat under `image`, `image_pil` and `image_url`', async () => {
    const text = { type: 'text', text: "What's in this image?" };
    const forms = [
      { type: 'image', image: sharp(SHAPE) },
      { type: 'image_pil', image_pil: sharp(SHAPE) },
      { type: 'image_url', image_url: readFileSync(SHAPE) },
      { type: 'image_url', image_url: { url: pathToFileURL(SHAPE) } },
      { image: SHAPE },
    ];
    for (const form of forms) {
      assert.equal((await llm.chat(user(form, text), GREEDY)).outputs[0]?.text, SHAPE_ANSWER);
    }
    const known = { type: 'image_pil', image_pil: null, uuid: 'a picture of PIL' };
    await assert.rejects(llm.chat(user(known, text), GREEDY), hasCode('media_cache_miss'));
    await llm.chat(user({ ...known, image_pil: sharp(SHAPE) }, text), GREEDY);
    assert.equal((await llm.chat(user(known, text), GREEDY)).outputs[0]?.text, SHAPE_ANSWER);
  });

  test('several in one prompt, and several prompts at once', async () => {
    const placeholder = '<|vision_bos|><|IMAGE|><|vision_eos|>';
    const two = turn(`${placeholder}${placeholder}Describe the differences.`);
    const image = [SHAPE, sharp(join(SAMPLES, 'shape-2.jpg'))];
    assert.match((await answer(two, { image })) ?? '', /white rectangle.*brown triangle/);
    const results = await llm.generate(
      [
        { prompt: ASK_IMAGE, multiModalData: { image: SHAPE } },
        { promptTokenIds: llm.tokenize(ASK_IMAGE), multiModalData: { image: [SHAPE] } },
        { prompt: llm.tokenize(ASK_IMAGE), multiModalData: { image: sharp(SHAPE) } },
      ],
      GREEDY,
    );
    for (const { outputs } of results) assert.equal(outputs[0]?.text, SHAPE_ANSWER);
  });

  test('what is no picture is refused, naming the item', async () => {
    const refuse = async (image: unknown, code: ErrorCode, message: RegExp): Promise<void> => {
      const work = answer(ASK_IMAGE, { image: [image as ImageInput] });
      await assert.rejects(work, hasCode(code, message, 'multiModalData.image[0]'));
    };
    await refuse({ data: new Uint8Array(5), width: 2, height: 1 }, 'invalid_image', /5 bytes/);
    await refuse({ data: new Uint8Array(6), shape: [6] }, 'invalid_image', /shape \[6\]/);
    await refuse({ data: new Uint8Array(6), shape: [2, 2, 3] }, 'invalid_image', /6 values/);
    await refuse({ data: new Uint8Array(24), shape: [2, 2, 2, 3] }, 'invalid_image', /2 pictures/);
    await refuse({ data: new Uint8Array(0), shape: [0, 0, 3] }, 'invalid_image', /shape/);
    await refuse({ data: new Uint8Array(4), width: '2', height: 2 }, 'invalid_type', /positive integer/);
    await refuse(17, 'invalid_type', /sharp object/);
    await refuse(new Map(), 'invalid_type', /sharp object/);
    await refuse({}, 'missing_field', /url/);
    await refuse(join(SAMPLES, 'no-such.png'), 'local_file_not_found', /no-such\.png/);
    await refuse(SAMPLES, 'local_file_refused', /regular file/);
    await refuse(sharp(Buffer.from('no picture')), 'invalid_image', /decoded/);
  });
});

describe('ids of media', () => {
  const ask = (image: MultiModalData['image'], uuids?: string | (string | null)[]): Promise<unknown> =>
    answer(ASK_IMAGE, { image }, { multiModalUuids: { image: uuids } });

  test('stand for what was sent before: as a list, alone, and for a whole modality', async () => {
    await ask([SHAPE], ['sku-1']);
    assert.equal(await ask([null], ['sku-1']), SHAPE_ANSWER);
    assert.equal(await ask(null, ['sku-1']), SHAPE_ANSWER);
    assert.equal(await ask(null, 'sku-1'), SHAPE_ANSWER);
    assert.equal(await ask(undefined, 'sku-1'), SHAPE_ANSWER);
    assert.equal(await ask([SHAPE], [null]), SHAPE_ANSWER);
    await assert.rejects(ask([null], ['sku-2']), hasCode('media_cache_miss'));
  });

  test('a known id reads no file', async () => {
    await ask([SHAPE], ['sku-3']);
    assert.equal(await ask(['/no/such/file.png'], ['sku-3']), SHAPE_ANSWER);
  });

  test('that do not fit are refused', async () => {
    await assert.rejects(
      ask([SHAPE], ['a', 'b']),
      hasCode(
        'invalid_value',
        /multiModalUuids\['image'\] must have same length as multiModalData\['image'\], but got 2 vs 1/,
      ),
    );
    await assert.rejects(
      ask([null], [null]),
      hasCode(
        'missing_field',
        /multiModalData\['image'\]\[0\] is empty but multiModalUuids\['image'\]\[0\] is missing/,
      ),
    );
    await assert.rejects(
      ask(null),
      hasCode(
        'missing_field',
        /multiModalData\['image'\] is empty but multiModalUuids\['image'\] is missing/,
      ),
    );
    await assert.rejects(ask([SHAPE], ['']), hasCode('invalid_value', /multiModalUuids\.image\[0\]/));
    await assert.rejects(ask([SHAPE], ['x'.repeat(257)]), hasCode('invalid_value'));
  });
});

describe('videos in process', () => {
  const NUM_FRAMES = 8;
  let pages: Buffer;
  let width: number;
  let height: number;
  let numPages: number;
  let indices: number[];
  const page = (i: number): Uint8Array =>
    pages.subarray(i * width * height * 3, (i + 1) * width * height * 3);

  before(async () => {
    const { data, info } = await sharp(CLIP, { pages: -1 })
      .removeAlpha()
      .raw()
      .toBuffer({ resolveWithObject: true });
    const metadata = await sharp(CLIP, { pages: -1 }).metadata();
    numPages = metadata.pages ?? 0;
    [pages, width, height] = [data, info.width, metadata.pageHeight ?? 0];
    indices = Array.from({ length: NUM_FRAMES }, (_, i) =>
      Math.round((i * (numPages - 1)) / (NUM_FRAMES - 1)),
    );
  });

  test('as pixels, sharp objects, encoded pictures and one array', async () => {
    const pixels = indices.map((i) => ({ data: page(i), width, height }));
    const raw = { width, height, channels: 3 as const };
    const sharps = (): Sharp[] => pixels.map(({ data }) => sharp(data, { raw }));
    const jpegs = await Promise.all(sharps().map((frame) => frame.jpeg({ quality: 95 }).toBuffer()));
    const data = Buffer.concat(indices.map(page));
    const clip = { fps: 10, frames_indices: indices, total_num_frames: numPages, duration: numPages / 10 };
    const forms: Record<string, VideoInput> = {
      path: CLIP,
      bytes: readFileSync(CLIP),
      pixels,
      'sharp objects': sharps(),
      'encoded pictures': jpegs,
      '[t, h, w, c]': { data, shape: [NUM_FRAMES, height, width, 3] },
      '{ frames, fps }': { frames: pixels, fps: 2 },
      '{ frames, metadata }': { frames: jpegs, metadata: clip },
      '[frames, metadata]': [pixels, clip],
      '[array, metadata]': [{ data, shape: [NUM_FRAMES, height, width, 3] }, clip],
    };
    for (const [name, video] of Object.entries(forms)) {
      assert.equal(await answer(ASK_VIDEO, { video }), CLIP_ANSWER, name);
    }
    const part = { type: 'video', video: jpegs, metadata: clip };
    const { outputs } = await llm.chat(user(part, { type: 'text', text: 'Describe this video.' }), GREEDY);
    assert.equal(outputs[0]?.text, CLIP_ANSWER);
  });

  test('lists of clips are several videos', async () => {
    const placeholder = '<|vision_bos|><|VIDEO|><|vision_eos|>';
    const frames = indices.map((i) => ({ data: page(i), width, height }));
    const { usage } = await llm.generate(
      { prompt: turn(`${placeholder}${placeholder}Compare.`), multiModalData: { video: [CLIP, frames] } },
      { ...GREEDY, maxTokens: 1 },
    );
    assert.ok(usage.videoTokens > 0);
  });

  test('what is no video is refused', async () => {
    const refuse = async (video: unknown, code: ErrorCode): Promise<void> =>
      assert.rejects(answer(ASK_VIDEO, { video: video as VideoInput }), hasCode(code));
    await refuse({ frames: [] }, 'invalid_value');
    await refuse({ frames: 'x' }, 'invalid_value');
    await refuse({ frames: [{ data: page(0), width, height }, 7] }, 'invalid_type');
    await refuse({ frames: [{ data: page(0), width, height }], fps: 0 }, 'invalid_value');
    await refuse({ frames: [{ data: page(0), width, height }], metadata: 5 }, 'invalid_type');
    await refuse({ data: page(0), shape: [height, width, 3] }, 'invalid_video');
    await refuse(
      [
        { data: page(0), width, height },
        { data: new Uint8Array(3), width: 1, height: 1 },
      ],
      'invalid_video',
    );
  });
});

describe('sounds in process', () => {
  const wav = readFileSync(SPEECH);
  const rate = wav.readUInt32LE(24);
  const numSamples = (wav.length - 44) / 2;
  const mono = Float32Array.from({ length: numSamples }, (_, i) => wav.readInt16LE(44 + 2 * i) / 32_768);
  /** Channels whose mean is the speech, although none of them is. */
  const channels = Array.from({ length: 6 }, (_, c) => mono.map((sample, i) => sample + noise(c, i)));

  function noise(channel: number, i: number): number {
    return channel === 5 ? 0.05 * (i % 5) : -0.01 * (i % 5);
  }

  test('as samples with or without a rate', async () => {
    const pcm = Int16Array.from(mono, (sample) => sample * 32_768);
    const forms: Record<string, AudioInput> = {
      path: SPEECH,
      bytes: wav,
      '[Float32Array, rate]': [mono, rate],
      '[numbers, rate]': [[...mono], rate],
      '[Int16Array, rate]': [pcm, rate],
      '[Float64Array, rate]': [Float64Array.from(mono), rate],
      '{ samples, samplingRate }': { samples: mono, samplingRate: rate },
      '{ array, sampling_rate }': { array: mono, sampling_rate: rate },
      'samples at the native rate': mono,
      'numbers at the native rate': [...mono],
    };
    for (const [name, audio] of Object.entries(forms)) {
      assert.equal(await answer(ASK_AUDIO, { audio }), SPEECH_ANSWER, name);
    }
    const part = { type: 'audio', audio: [mono, rate] };
    const { outputs } = await llm.chat(user(part, { type: 'text', text: 'Transcribe the audio.' }), GREEDY);
    assert.equal(outputs[0]?.text, SPEECH_ANSWER);
  });

  test('of several channels, channels first and channels last', async () => {
    const first = new Float32Array(6 * numSamples);
    const last = new Float32Array(6 * numSamples);
    for (const [c, channel] of channels.entries()) {
      first.set(channel, c * numSamples);
      for (let i = 0; i < numSamples; i++) last[i * 6 + c] = channel[i] as number;
    }
    const stereo = Float32Array.from({ length: 2 * numSamples }, (_, i) => mono[i % numSamples] as number);
    const forms: Record<string, AudioInput> = {
      stereo: [{ data: stereo, shape: [2, numSamples] }, rate],
      '5.1, channels first': [{ data: first, shape: [6, numSamples] }, rate],
      '5.1, channels last': [{ data: last, shape: [numSamples, 6] }, rate],
      'an array a channel': [channels, rate],
      '{ data, shape, samplingRate }': { data: last, shape: [numSamples, 6], samplingRate: rate },
    };
    for (const [name, audio] of Object.entries(forms)) {
      assert.equal(await answer(ASK_AUDIO, { audio }), SPEECH_ANSWER, name);
    }
  });

  test('several, each with its own rate', async () => {
    const placeholder = '<|audio_bos|><|AUDIO|><|audio_eos|>';
    const { usage } = await llm.generate(
      {
        prompt: turn(`${placeholder}${placeholder}Compare.`),
        multiModalData: { audio: [[mono, rate], mono] },
      },
      { ...GREEDY, maxTokens: 1 },
    );
    assert.ok(usage.audioTokens > 0);
  });

  test('what is no sound is refused', async () => {
    const refuse = async (audio: unknown, code: ErrorCode, message: RegExp): Promise<void> =>
      assert.rejects(answer(ASK_AUDIO, { audio: audio as AudioInput }), hasCode(code, message));
    await refuse([new Float32Array(0), rate], 'invalid_audio', /no samples/);
    await refuse([[NaN, 0], rate], 'invalid_audio', /finite/);
    await refuse([new Float32Array([0, Infinity]), rate], 'invalid_audio', /finite/);
    await refuse([mono, 0], 'invalid_value', /sampling rate/);
    await refuse([mono, NaN], 'invalid_value', /sampling rate/);
    await refuse([mono, 1e9], 'invalid_audio', /sampling rate/);
    await refuse([{ data: mono, shape: [1, 1, numSamples] }, rate], 'invalid_audio', /3 dimensions/);
    await refuse([{ data: mono, shape: [2, numSamples] }, rate], 'invalid_audio', /do not fill/);
    await refuse([[mono, mono.subarray(1)], rate], 'invalid_audio', /different lengths/);
    await refuse([[['a']], rate], 'invalid_audio', /not samples/);
    await refuse(new BigInt64Array(4), 'invalid_type', /samplingRate/);
  });
});

describe('options in process', () => {
  test('of a batch are one for all or one for each', async () => {
    const asked = { prompt: ASK_IMAGE, multiModalData: { image: SHAPE } };
    const own = [
      { ...GREEDY, maxTokens: 1, requestId: 'first' },
      { ...GREEDY, maxTokens: 2 },
    ];
    const results = await llm.generate([asked, asked], own);
    assert.deepEqual(
      results.map(({ usage }) => usage.completionTokens),
      [1, 2],
    );
    assert.equal(results[0]?.requestId, 'first');
    const chats = await llm.chat(
      [user({ type: 'text', text: 'Hi' }), user({ type: 'text', text: 'Hi' })],
      own,
    );
    assert.equal(chats[1]?.usage.completionTokens, 2);
    await assert.rejects(llm.generate([asked], own), hasCode('invalid_option', /lengths of the batch \(1\)/));
    const misspelled = [GREEDY, { max_tokens: 1 } as object];
    await assert.rejects(llm.generate([asked, asked], misspelled), hasCode('invalid_option', /maxTokens/));
    const ended = [GREEDY, { ...GREEDY, signal: AbortSignal.abort() }];
    await assert.rejects(llm.generate([asked, asked], ended), hasCode('request_cancelled'));
  });

  test('camelCase and snake_case names of a call and of a prompt are the same', async () => {
    const tokens = async (call: object, prompt: Partial<MultiModalPrompt> = {}): Promise<number> =>
      (
        await llm.generate(
          { prompt: ASK_IMAGE, multiModalData: { image: SHAPE }, ...prompt },
          { ...GREEDY, maxTokens: 1, ...call },
        )
      ).usage.imageTokens;
    const usual = await tokens({});
    const small = await tokens({ mmProcessorKwargs: { max_pixels: 28 * 28 * 4 } });
    assert.ok(small < usual);
    assert.equal(await tokens({ mmProcessorKwargs: { maxPixels: 28 * 28 * 4 } }), small);
    assert.equal(await tokens({ mmProcessorKwargs: { imagesKwargs: { maxPixels: 28 * 28 * 4 } } }), small);
    assert.equal(await tokens({}, { mmProcessorKwargs: { maxPixels: 28 * 28 * 4 } }), small);
    const twice = { maxPixels: 28 * 28 * 4, max_pixels: 28 * 28 * 4 };
    await assert.rejects(tokens({ mmProcessorKwargs: twice }), hasCode('invalid_option', /twice/));
  });

  test('the background of transparent pictures: engine, call, prompt', async () => {
    const ink = await sharp({
      create: { width: 64, height: 64, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
    })
      .png()
      .toBuffer();
    /** The item's key covers its options: other colours are other items, and equal ones are not computed again. */
    const queries = async (options: object, prompt: object = {}): Promise<number> => {
      const before = llm.stats().mediaCache.hits;
      await llm.generate(
        { prompt: ASK_IMAGE, multiModalData: { image: ink }, ...prompt },
        { ...GREEDY, maxTokens: 1, ...options },
      );
      return llm.stats().mediaCache.hits - before;
    };
    const black = { mediaIoKwargs: { image: { rgba_background_color: [0, 0, 0] } } };
    const camel = { mediaIoKwargs: { image: { rgbaBackgroundColor: [0, 0, 0] } } };
    llm.resetCaches();
    assert.equal(await queries({}), 0);
    assert.equal(await queries(black), 0);
    assert.equal(await queries(camel), 1);
    assert.equal(await queries({}, camel), 1);
    const bad = { mediaIoKwargs: { image: { rgbaBackgroundColor: [0, 0, 256] } } };
    await assert.rejects(queries(bad), hasCode('invalid_value', /3 integers/));
    await assert.rejects(
      LLM.load({ rgbaBackgroundColor: [0, 0, -1] }),
      hasCode('invalid_option', /3 integers/),
    );
  });
});

describe('where media may come from', () => {
  test('a program names any path itself; file: URLs in messages need a folder', async () => {
    const part = { type: 'image_url', image_url: { url: pathToFileURL(SHAPE).href } };
    const ask = user(part, { type: 'text', text: "What's in this image?" });
    await assert.rejects(llm.chat(ask, GREEDY), hasCode('local_file_refused'));
    const allowed = await LLM.load({ allowedLocalMediaPath: SAMPLES });
    try {
      assert.equal((await allowed.chat(ask, GREEDY)).outputs[0]?.text, SHAPE_ANSWER);
    } finally {
      await allowed.close();
    }
  });

  test('hosts are those of the list, and addresses of this network need an option', async () => {
    const server = createServer((_request, response) => response.end(readFileSync(SHAPE)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.png`;
    await assert.rejects(answer(ASK_IMAGE, { image: url }), hasCode('media_address_refused'));
    const open = await LLM.load({ allowPrivateMediaAddresses: true, allowedMediaDomains: ['127.0.0.1'] });
    try {
      const prompt = { prompt: ASK_IMAGE, multiModalData: { image: url } };
      assert.equal((await open.generate(prompt, GREEDY)).outputs[0]?.text, SHAPE_ANSWER);
      const elsewhere = { ...prompt, multiModalData: { image: 'http://other.example/a.png' } };
      await assert.rejects(open.generate(elsewhere, GREEDY), hasCode('media_domain_refused'));
    } finally {
      await open.close();
      server.close();
      server.closeAllConnections();
    }
  });
});
