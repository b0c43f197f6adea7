import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import type { ErrorCode } from '../../../lib/errors.js';
import { LLM, type MultiModalPrompt } from '../../../lib/llm.js';
import {
  DemoModel,
  SAMPLES,
  SHAPE,
  GREEDY,
  SHAPE_ANSWER,
  ASK_IMAGE,
  user,
  hasCode,
} from './support/demo-model.js';

const demo = new DemoModel();

describe('options in process', () => {
  test('of a batch are one for all or one for each', async () => {
    const asked = { prompt: ASK_IMAGE, multiModalData: { image: SHAPE } };
    const own = [
      { ...GREEDY, maxTokens: 1, requestId: 'first' },
      { ...GREEDY, maxTokens: 2 },
    ];
    const results = await demo.llm.generate([asked, asked], own);
    assert.deepEqual(
      results.map(({ usage }) => usage.completionTokens),
      [1, 2],
    );
    assert.equal(results[0]?.requestId, 'first');
    const chats = await demo.llm.chat(
      [user({ type: 'text', text: 'Hi' }), user({ type: 'text', text: 'Hi' })],
      own,
    );
    assert.equal(chats[1]?.usage.completionTokens, 2);
    await assert.rejects(
      demo.llm.generate([asked], own),
      hasCode('invalid_option', /lengths of the batch \(1\)/),
    );
    const misspelled = [GREEDY, { max_tokens: 1 } as object];
    await assert.rejects(
      demo.llm.generate([asked, asked], misspelled),
      hasCode('invalid_option', /maxTokens/),
    );
    const ended = [GREEDY, { ...GREEDY, signal: AbortSignal.abort() }];
    await assert.rejects(demo.llm.generate([asked, asked], ended), hasCode('request_cancelled'));
  });

  test('camelCase and snake_case names of a part are the same', async () => {
    const tokens = async (options: object): Promise<number> =>
      (await demo.llm.chat(user({ type: 'image', image: SHAPE, ...options }), { ...GREEDY, maxTokens: 1 }))
        .usage.imageTokens;
    const pixels = 56 * 56;
    assert.equal(await tokens({ min_pixels: pixels, max_pixels: pixels }), 4);
    assert.equal(await tokens({ minPixels: pixels, maxPixels: pixels }), 4);
  });

  test('camelCase and snake_case names of a call and of a prompt are the same', async () => {
    const tokens = async (call: object, prompt: Partial<MultiModalPrompt> = {}): Promise<number> =>
      (
        await demo.llm.generate(
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
      const before = demo.llm.stats().mediaCache.hits;
      await demo.llm.generate(
        { prompt: ASK_IMAGE, multiModalData: { image: ink }, ...prompt },
        { ...GREEDY, maxTokens: 1, ...options },
      );
      return demo.llm.stats().mediaCache.hits - before;
    };
    const black = { mediaIoKwargs: { image: { rgba_background_color: [0, 0, 0] } } };
    const camel = { mediaIoKwargs: { image: { rgbaBackgroundColor: [0, 0, 0] } } };
    demo.llm.resetCaches();
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

describe('misuse of a prompt', () => {
  const wrong: [string, unknown, ErrorCode, string][] = [
    [
      'modalities that are none',
      { prompt: 'x', multiModalData: { images: [] } },
      'invalid_option',
      'multiModalData.images',
    ],
    ['data that is no object', { prompt: 'x', multiModalData: 'x' }, 'invalid_type', 'multiModalData'],
    ['uuids that are no object', { prompt: 'x', multiModalUuids: ['a'] }, 'invalid_type', 'multiModalUuids'],
    ['snake_case', { prompt: 'x', multi_modal_data: {} }, 'invalid_option', 'multi_modal_data'],
    ['fractional token ids', { promptTokenIds: [1, 1.5] }, 'invalid_type', 'prompt[1]'],
    ['token ids beyond the vocabulary', [99_999], 'invalid_value', 'prompt'],
    ['token ids that are a text', { promptTokenIds: 'x' }, 'invalid_type', 'promptTokenIds'],
    ['no prompt', { multiModalData: {} }, 'invalid_type', 'prompt'],
    ['a salt that is no text', { prompt: 'x', cacheSalt: 7 }, 'invalid_type', 'cacheSalt'],
  ];
  for (const [name, prompt, code, param] of wrong) {
    test(name, () =>
      assert.rejects(demo.llm.generate(prompt as MultiModalPrompt, GREEDY), hasCode(code, /./, param)),
    );
  }

  test('call options of another type', async () => {
    for (const name of ['requestId', 'cacheSalt']) {
      const options = { [name]: 7 } as object;
      await assert.rejects(demo.llm.generate('x', options), hasCode('invalid_option', /./, name));
    }
  });
});

describe('where media may come from', () => {
  test('a program names any path itself; file: URLs in messages need a folder', async () => {
    const part = { type: 'image_url', image_url: { url: pathToFileURL(SHAPE).href } };
    const ask = user(part, { type: 'text', text: "What's in this image?" });
    await assert.rejects(demo.llm.chat(ask, GREEDY), hasCode('local_file_refused'));
    const allowed = await LLM.load({ allowedLocalMediaPath: SAMPLES });
    try {
      assert.equal((await allowed.chat(ask, GREEDY)).outputs[0]?.text, SHAPE_ANSWER);
    } finally {
      await allowed.close();
    }
  });

  test('a folder that is none is told when the model is loaded', async () => {
    for (const allowedLocalMediaPath of [`${SAMPLES}/none`, SHAPE]) {
      const told = hasCode('invalid_option', /folder/, 'allowedLocalMediaPath');
      await assert.rejects(LLM.load({ allowedLocalMediaPath }), told);
    }
  });

  test('hosts are those of the list, and addresses of this network need an option', async () => {
    const server = createServer((_request, response) => response.end(readFileSync(SHAPE)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/a.png`;
    await assert.rejects(demo.answer(ASK_IMAGE, { image: url }), hasCode('media_address_refused'));
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
