import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import type { NativeAddon } from '../../../lib/native/addon.js';
import { loadAddon } from '../../../lib/native/load.js';
import { createProcessor } from '../../../lib/processors/index.js';
import { rejectsWith } from '../media/support/errors.js';
import { fakeItem } from '../media/support/fake-processor.js';
import { modelFolderOf, REPOSITORY } from '../support/goldens.js';

const addon = loadAddon();

function folderWith(t: TestContext, files: Record<string, unknown>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sensorium-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));
  }
  return folder;
}

const VL_CONFIG = {
  architectures: ['Qwen2_5_VLForConditionalGeneration'],
  vision_start_token_id: 1,
  vision_end_token_id: 2,
  image_token_id: 3,
  video_token_id: 4,
};

describe('processors of checkpoints', () => {
  test('the demo model hears, sees and watches by its own numbers', async () => {
    const demo = await createProcessor(join(REPOSITORY, 'models', 'demo'), addon);
    assert.equal(demo.family, 'qwen2_5_omni');
    assert.deepEqual(demo.modalities, ['image', 'video', 'audio']);
    assert.deepEqual(demo.videoSampling, {
      fps: 2,
      minFrames: 2,
      maxFrames: 8,
      frameFactor: 2,
      isConstantRate: true,
    });
  });

  test('text models take no media', async () => {
    const text = await createProcessor(modelFolderOf('qwen2'), addon);
    assert.deepEqual(text.modalities, []);
    assert.deepEqual([...text.expand([5, 6], []).promptIds], [5, 6]);
    const image = { kind: 'image', data: new Uint8Array(3), width: 1, height: 1 } as const;
    await rejectsWith(text.process(image, {}), 'unsupported_modality');
    assert.throws(() => text.expand([5], [{ ...fakeItem('image', 1), key: 'k' }]), {
      code: 'placeholder_mismatch',
    });
  });

  test('a combined processor_config.json is read, its video part before the others', async (t) => {
    const folder = folderWith(t, {
      'config.json': VL_CONFIG,
      'preprocessor_config.json': { max_pixels: 4000 },
      'processor_config.json': {
        image_processor: { min_pixels: 784, max_pixels: 784 },
        video_processor: { size: { shortest_edge: 784, longest_edge: 1568 }, fps: 3 },
      },
    });
    const processor = await createProcessor(folder, addon);
    assert.equal(processor.videoSampling.fps, 3);
    const data = new Uint8Array(112 * 112 * 3);
    const image = await processor.process({ kind: 'image', data, width: 112, height: 112 }, {});
    assert.equal(image.numTokens, 1);
  });

  test('token texts come from tokenizer.json where tokenizer_config.json has none', async (t) => {
    const added_tokens = [
      { id: 1, content: '<start>' },
      { id: 2, content: '<end>' },
      { id: 3, content: '<picture>' },
    ];
    const folder = folderWith(t, { 'config.json': VL_CONFIG, 'tokenizer.json': { added_tokens } });
    const processor = await createProcessor(folder, addon);
    assert.equal(processor.placeholders.image?.spelling, '<start><picture><end>');
    assert.equal(processor.placeholders.video?.token, '<|video_pad|>');
  });

  test('token ids that config.json leaves out are found by their usual text', async (t) => {
    const { image_token_id: _dropped, ...config } = VL_CONFIG;
    const tokenizer_config = { added_tokens_decoder: { '77': { content: '<|image_pad|>' } } };
    const folder = folderWith(t, { 'config.json': config, 'tokenizer_config.json': tokenizer_config });
    assert.equal((await createProcessor(folder, addon)).placeholders.image?.tokenId, 77);
    await rejectsWith(createProcessor(folderWith(t, { 'config.json': config }), addon), 'invalid_checkpoint');
  });

  test('model_type decides where no architecture is known', async (t) => {
    const folder = folderWith(t, {
      'config.json': { ...VL_CONFIG, architectures: [], model_type: 'qwen2_vl' },
    });
    assert.equal((await createProcessor(folder, addon)).family, 'qwen2_vl');
  });

  test('an unknown architecture is named with the supported ones', async (t) => {
    const folder = folderWith(t, { 'config.json': { architectures: ['MambaForCausalLM'] } });
    const error = await rejectsWith(createProcessor(folder, addon), 'unsupported_architecture');
    assert.match(error.message, /MambaForCausalLM.*Qwen2VLForConditionalGeneration/);
  });

  test('missing and broken files are named', async (t) => {
    const expectNamed = async (files: Record<string, unknown>, name: RegExp): Promise<void> => {
      const error = await rejectsWith(createProcessor(folderWith(t, files), addon), 'invalid_checkpoint');
      assert.match(error.message, name);
    };
    await expectNamed({}, /config\.json is missing/);
    await expectNamed({ 'config.json': '{' }, /config\.json is not valid JSON/);
    await expectNamed({ 'config.json': '[]' }, /config\.json does not hold/);
    await expectNamed(
      { 'config.json': VL_CONFIG, 'preprocessor_config.json': 'x' },
      /preprocessor_config\.json/,
    );
  });

  test('native errors take the class of their medium', async (t) => {
    const folder = folderWith(t, { 'config.json': VL_CONFIG });
    const failing = (code: string): NativeAddon => ({
      ...addon,
      smartResize: (height, width) => ({ height, width }),
      patchifyImage: () => Promise.reject(Object.assign(new Error('no'), { code })),
    });
    const image = { kind: 'image', data: new Uint8Array(3), width: 1, height: 1 } as const;
    const process = async (code: string): Promise<unknown> =>
      (await createProcessor(folder, failing(code))).process(image, {});
    await rejectsWith(process('invalid_media'), 'invalid_image');
    await rejectsWith(process('out_of_memory'), 'out_of_memory');
    await assert.rejects(process('internal'), { message: 'no' });
  });
});
