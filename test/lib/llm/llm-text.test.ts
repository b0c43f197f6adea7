import assert from 'node:assert/strict';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SensoriumError, type ErrorCode } from '../../../lib/errors.js';
import {
  LLM,
  type GenerateOptions,
  type LLMOptions,
  type PromptInput,
  type RequestObservation,
} from '../../../lib/llm.js';
import type { NativeRequest } from '../../../lib/native/addon.js';
import type { ChatMessage } from '../../../lib/request/types.js';
import { FakeAddon } from '../engine/fake-native.js';
import { modelFolderOf } from '../support/goldens.js';

const EOS = 485;

/** An addon whose engine echoes the prompt's last token once and ends. */
class EchoAddon extends FakeAddon {
  override async createEngine(
    ...args: Parameters<FakeAddon['createEngine']>
  ): ReturnType<FakeAddon['createEngine']> {
    const engine = await super.createEngine(...args);
    const submit = engine.submit.bind(engine);
    engine.submit = (request: NativeRequest) => {
      submit(request);
      setImmediate(() => {
        const last = request.promptIds.at(-1) ?? 0;
        this.engine.send(request.id, [last]);
        setImmediate(() => this.engine.send(request.id, [EOS], { finishReason: 'stop', stopTokenId: EOS }));
      });
    };
    return engine;
  }
}

const hasCode = (code: ErrorCode) => (error: unknown) =>
  error instanceof SensoriumError && error.code === code;

async function load(options: LLMOptions = {}): Promise<{ llm: LLM; addon: EchoAddon }> {
  const addon = new EchoAddon();
  return { llm: await LLM.loadWith(addon, { model: modelFolderOf('qwen2'), ...options }), addon };
}

describe('calls', () => {
  let llm: LLM;
  let addon: EchoAddon;
  before(async () => ({ llm, addon } = await load()));
  after(() => llm.close());

  test('generate answers a text and token ids', async () => {
    const result = await llm.generate('Hello x');
    assert.equal(result.outputs[0]?.text, llm.detokenize(result.promptTokenIds.slice(-1)));
    const again = await llm.generate(result.promptTokenIds);
    assert.deepEqual(again.promptTokenIds, result.promptTokenIds);
  });

  test('a batch keeps its order and reports progress', async () => {
    const seen: number[] = [];
    const prompts = Array.from({ length: 100 }, (_, i) => `say ${String.fromCharCode(97 + (i % 26))}`);
    const results = await llm.generate(prompts, { onProgress: ({ numDone }) => seen.push(numDone) });
    assert.deepEqual(
      results.map((result) => result.outputs[0]?.text.slice(-1)),
      prompts.map((prompt) => prompt.slice(-1)),
    );
    assert.deepEqual(
      seen,
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
  });

  test('an entry that fails names its index and ends the batch', async () => {
    await assert.rejects(llm.generate(['a', '', 'c']), (error: SensoriumError) => {
      assert.equal(error.code, 'prompt_empty');
      assert.equal(error.details?.index, 1);
      return true;
    });
  });

  test('chat answers one conversation or several', async () => {
    const chat = [{ role: 'user', content: 'Hi' }];
    const one = await llm.chat(chat, { temperature: 0 });
    assert.equal(one.outputs[0]?.finishReason, 'stop');
    const two = await llm.chat([chat, chat]);
    assert.equal(two.length, 2);
    assert.deepEqual(two[1]?.promptTokenIds, one.promptTokenIds);
  });

  test('streams yield deltas; leaving one aborts it', async () => {
    const texts: string[] = [];
    for await (const delta of llm.chatStream([{ role: 'user', content: 'Hi' }])) texts.push(delta.text);
    assert.equal(texts.length, 2);
    const numAborted = addon.engine.aborted.length;
    for await (const delta of llm.generateStream('x')) {
      assert.ok(delta.text !== '');
      break;
    }
    assert.equal(addon.engine.aborted.length, numAborted + 1);
  });

  test('a signal cancels a batch', async () => {
    const controller = new AbortController();
    const batch = llm.generate(['a', 'b'], { signal: controller.signal, onProgress: () => undefined });
    controller.abort();
    await assert.rejects(batch, hasCode('request_cancelled'));
  });

  test('tokenize and detokenize are inverse', () => {
    const ids = llm.tokenize('<|im_start|>user\nna\u00efve \u{1f600}');
    assert.equal(llm.detokenize(ids, { skipSpecialTokens: false }), '<|im_start|>user\nna\u00efve \u{1f600}');
  });

  test('observers hear of every end', async () => {
    const heard: RequestObservation[] = [];
    const stop = llm.observe((observation) => heard.push(observation));
    await llm.generate('x', { requestId: 'good' });
    await assert.rejects(llm.generate('x', { requestId: 'bad', temperature: 9 }));
    stop();
    await llm.generate('x');
    assert.deepEqual(
      heard.map(({ requestId, errorCode }) => [requestId, errorCode]),
      [
        ['good', undefined],
        ['bad', 'invalid_value'],
      ],
    );
    assert.deepEqual(heard[0]?.finishReasons, ['stop']);
  });

  test("the sampling defaults are the checkpoint's", async () => {
    await llm.generate('x');
    const { temperature, topP, topK, repetitionPenalty } = addon.engine.requests.at(-1)?.sampling ?? {};
    assert.deepEqual(
      { temperature, topP, topK, repetitionPenalty },
      { temperature: 0.7, topP: 0.8, topK: 20, repetitionPenalty: 1.05 },
    );
    assert.deepEqual(addon.options[0]?.eosTokenIds, [485, 483]);
  });

  test('names of errors follow the caller', async () => {
    await assert.rejects(
      llm.generate('x', { maxTokens: 0 }),
      (error: SensoriumError) => error.param === 'maxTokens',
    );
    const wire = llm.submitPrompt('x', [], { sampling: { maxTokens: 0 }, paramStyle: 'snake' });
    await assert.rejects(wire, (error: SensoriumError) => error.param === 'max_tokens');
  });

  test('a misspelled option is refused, with its right name', async () => {
    const options = { max_tokens: 3 } as Record<string, unknown>;
    await assert.rejects(llm.generate('x', options), (error: SensoriumError) => {
      assert.equal(error.code, 'invalid_option');
      assert.match(error.message, /maxTokens/);
      return true;
    });
  });

  test('options that are none are refused before any work', async () => {
    const chat = [{ role: 'user', content: 'x' }];
    const bad = [null, 5, { signal: 5 }, { signal: {} }, { onProgress: 'x' }] as unknown as [GenerateOptions];
    for (const options of bad) {
      await assert.rejects(llm.chat(chat, options), hasCode('invalid_option'));
      await assert.rejects(llm.chat([chat], options), hasCode('invalid_option'));
      await assert.rejects(llm.generate('x', options), hasCode('invalid_option'));
      await assert.rejects(llm.generate(['x'], options), hasCode('invalid_option'));
    }
    const misspelled = [
      { prompt: 'x', images: [] },
      { prompt: 'x', multiModalData: { picture: [] } },
    ];
    for (const prompt of misspelled as PromptInput[]) {
      await assert.rejects(llm.generate(prompt), hasCode('invalid_option'));
    }
  });

  test('media options are checked whether or not there are media', async () => {
    const chat = [{ role: 'user', content: 'x' }];
    const wrong = { mmProcessorKwargs: { fps: -1 } };
    const isOfField = (error: SensoriumError): boolean =>
      error.code === 'invalid_value' && error.param === 'mm_processor_kwargs.fps';
    const isOfOption = (error: SensoriumError): boolean =>
      error.code === 'invalid_value' && error.param === 'mmProcessorKwargs.fps';
    await assert.rejects(llm.chat(chat, wrong), isOfOption);
    await assert.rejects(llm.generate('x', wrong), isOfOption);
    const parsed: ChatMessage = {
      role: 'user',
      content: [{ type: 'text', text: 'x' }],
      isPlainText: true,
      extra: {},
    };
    await assert.rejects(llm.renderChat([parsed], wrong), isOfField);
    await llm.chat(chat, { mediaIoKwargs: { video: { num_frames: -1, fps: -1 } } });
  });

  test('media for a text model, prompts that are too long, placeholders without media', async () => {
    const chat = [{ role: 'user', content: [{ type: 'image', image: new Uint8Array(3) }] }];
    await assert.rejects(llm.chat(chat), hasCode('unsupported_modality'));
    await assert.rejects(llm.generate('x'.repeat(10_000)), /at least \d+ tokens/);
    await assert.rejects(llm.generate('x'.repeat(10_000)), hasCode('prompt_too_long'));
    await assert.rejects(llm.generate('x'.repeat(10_000_000)), hasCode('prompt_too_long'));
    await assert.rejects(
      llm.chat([{ role: 'user', content: 'x '.repeat(5000) }]),
      hasCode('prompt_too_long'),
    );
  });
});

test('a closed model refuses, twice closed is closed', async () => {
  const { llm, addon } = await load();
  await Promise.all([llm.close(), llm.close({ graceMs: 10 })]);
  assert.ok(addon.engine.isClosed);
  await assert.rejects(llm.generate('x'), hasCode('shutting_down'));
});

describe('checkpoints that cannot be loaded', () => {
  let root: string;
  before(async () => (root = await mkdtemp(join(tmpdir(), 'sensorium-test-'))));
  after(() => rm(root, { recursive: true }));

  async function damaged(name: string, files: Record<string, string | undefined>): Promise<string> {
    const folder = join(root, name);
    await cp(modelFolderOf('qwen2'), folder, { recursive: true });
    for (const [file, text] of Object.entries(files)) {
      await rm(join(folder, file), { force: true });
      if (text !== undefined) await writeFile(join(folder, file), text);
    }
    return folder;
  }

  async function assertRefused(model: string, code: ErrorCode, words: RegExp): Promise<void> {
    await assert.rejects(load({ model }), (error: unknown) => {
      assert.ok(error instanceof SensoriumError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, words);
      return true;
    });
  }

  test('no folder, a file', async () => {
    await assertRefused(join(root, 'nowhere'), 'invalid_checkpoint', /nowhere/);
    const file = join(root, 'file');
    await writeFile(file, '');
    await assertRefused(file, 'invalid_checkpoint', /not a folder/);
  });

  const cases: [name: string, files: Record<string, string | undefined>, code: ErrorCode, words: RegExp][] = [
    ['no config', { 'config.json': undefined }, 'invalid_checkpoint', /config\.json/],
    ['config is not JSON', { 'config.json': '{' }, 'invalid_checkpoint', /config\.json/],
    ['config is a list', { 'config.json': '[]' }, 'invalid_checkpoint', /config\.json/],
    [
      'unknown architecture',
      { 'config.json': '{"architectures":["GptNo"],"model_type":"no"}' },
      'unsupported_architecture',
      /Qwen2ForCausalLM/,
    ],
    [
      'no tokenizer',
      { 'tokenizer.json': undefined, 'merges.txt': undefined },
      'invalid_checkpoint',
      /tokenizer\.json/,
    ],
    ['tokenizer is not JSON', { 'tokenizer.json': 'x' }, 'invalid_checkpoint', /tokenizer\.json/],
    ['tokenizer is empty', { 'tokenizer.json': '{}' }, 'invalid_checkpoint', /tokenizer\.json/],
    [
      'tokenizer of an unknown kind',
      { 'tokenizer.json': '{"model":{"type":"No"},"decoder":{"type":"No"}}' },
      'invalid_checkpoint',
      /tokenizer\.json/,
    ],
    ['template does not compile', { 'chat_template.jinja': '{% for %}' }, 'invalid_template', /template/],
    [
      'template list without names',
      { 'chat_template.json': '{"chat_template":[{}]}' },
      'invalid_checkpoint',
      /chat_template\.json/,
    ],
  ];
  for (const [name, files, code, words] of cases) {
    test(name, async () => assertRefused(await damaged(name.replaceAll(' ', '-'), files), code, words));
  }

  test("the core's own refusal keeps its code", async () => {
    const addon = new FakeAddon();
    addon.createError = Object.assign(new Error('model.safetensors is truncated'), {
      code: 'invalid_checkpoint',
    });
    await assert.rejects(
      LLM.loadWith(addon, { model: modelFolderOf('qwen2') }),
      hasCode('invalid_checkpoint'),
    );
  });

  test("where the checkpoint has no template, its type's is used; an option replaces both", async () => {
    const config = '{"eos_token":"<|im_end|>"}';
    const model = await damaged('bare', {
      'tokenizer_config.json': config,
      'chat_template.jinja': undefined,
    });
    const chat = [{ role: 'user', content: 'Hi' }];
    const fallback = await load({ model });
    const { promptTokenIds } = await fallback.llm.chat(chat);
    const own = await load();
    assert.deepEqual(promptTokenIds, (await own.llm.chat(chat)).promptTokenIds);
    const replaced = await load({ chatTemplate: '{{ messages[0].content }}!' });
    assert.equal(replaced.llm.detokenize((await replaced.llm.chat(chat)).promptTokenIds), 'Hi!');
    for (const { llm } of [fallback, own, replaced]) await llm.close();
  });

  test('options that make no sense', async () => {
    const bad: LLMOptions[] = [
      { dtype: 'int3' as 'auto' },
      { maxNumSeqs: 0 },
      { kvCacheGb: -1 },
      { numThreads: 1.5 },
      { limitMmPerPrompt: { smell: 1 } as Record<string, number> },
      { chatTemplate: 'no-such-file' },
      { chatTemplate: 5 as unknown as string },
      { model: '' },
      { model: 5 as unknown as string },
      { servedModelName: '' },
      { max_model_len: 5 } as LLMOptions,
      { mediaIoKwargs: [] as object },
      { onProgress: 5 as unknown as () => void },
      { maxQueued: 0 },
      { mediaPolicy: { allowPrivateAddresses: true } as object },
      { mediaPolicy: { allowPrivateMediaAddresses: 'no' as unknown as boolean } },
      { mediaPolicy: { allowedMediaDomains: 'example.com' as unknown as string[] } },
    ];
    const none = LLM.loadWith(new EchoAddon(), null as unknown as LLMOptions);
    await assert.rejects(none, hasCode('invalid_option'));
    for (const options of bad)
      await assert.rejects(load(options), hasCode('invalid_option'), JSON.stringify(options));
  });
});
