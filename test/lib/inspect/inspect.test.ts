import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { SensoriumError } from '../../../lib/errors.js';
import { describeInspection } from '../../../lib/inspect/describe.js';
import { inspectModel } from '../../../lib/inspect/inspect.js';
import { embeddedModelPath } from '../../../lib/llm/package-root.js';
import { loadAddon } from '../../../lib/native/load.js';

interface Header {
  [name: string]: { dtype: string; shape: number[]; data_offsets: [number, number] };
}

function safetensors(header: Header): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text]);
}

describe('inspect', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'inspect-'));
    cpSync(embeddedModelPath(), folder, { recursive: true, filter: (from) => !from.includes('samples') });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (name: string, content: unknown): void =>
    writeFileSync(path.join(folder, name), content instanceof Buffer ? content : JSON.stringify(content));
  const configWith = (changes: object): object => ({
    ...(JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8')) as object),
    ...changes,
  });

  it('says what the embedded model is, takes and needs', async () => {
    const inspection = await inspectModel(folder, loadAddon());
    assert.equal(inspection.architecture, 'Qwen2_5OmniThinkerForConditionalGeneration');
    assert.deepEqual(inspection.modalities, ['image', 'video', 'audio']);
    assert.deepEqual(inspection.problems, []);
    assert.deepEqual(inspection.storedTypes, [{ type: 'BF16', numParameters: inspection.numParameters }]);
    assert.equal(inspection.storedBytes, 2 * inspection.numParameters);
    const [bfloat16, float32] = inspection.memory;
    assert.equal(float32!.weightBytes, 2 * bfloat16!.weightBytes);
    assert.equal(bfloat16!.kvBytes.at(-1)!.numTokens, inspection.maxModelLen);
    assert.match(
      describeInspection(inspection).join('\n'),
      /takes: text, image, video, audio\n.*problems: none found/s,
    );
  });

  it('counts the keys and values that the engine allocates for a token', async () => {
    const { memory } = await inspectModel(folder, loadAddon());
    const { text_config: text } = JSON.parse(readFileSync(path.join(folder, 'config.json'), 'utf8')) as {
      text_config: Record<string, number>;
    };
    const headDim = text['hidden_size']! / text['num_attention_heads']!;
    const { numTokens, numBytes } = memory[0]!.kvBytes[0]!;
    assert.equal(
      numBytes,
      numTokens * 2 * 2 * text['num_hidden_layers']! * text['num_key_value_heads']! * headDim,
    );
  });

  it('names missing shards, unread types, quantisation and missing files', async () => {
    rmSync(path.join(folder, 'model.safetensors'));
    for (const name of ['tokenizer.json', 'vocab.json', 'merges.txt'])
      rmSync(path.join(folder, name), { force: true });
    write('model.safetensors.index.json', {
      weight_map: { a: 'one.safetensors', b: 'two.safetensors', c: '../three.safetensors' },
    });
    write('one.safetensors', safetensors({ a: { dtype: 'F8_E4M3', shape: [4, 2], data_offsets: [0, 8] } }));
    write('config.json', configWith({ quantization_config: { quant_method: 'awq' } }));
    const { problems, numParameters } = await inspectModel(folder, loadAddon());
    assert.equal(numParameters, 8);
    const text = problems.join('\n');
    for (const pattern of [
      /two\.safetensors is missing/,
      /F8_E4M3/,
      /awq/,
      /outside the folder/,
      /tokenizer\.json is missing/,
    ])
      assert.match(text, pattern);
  });

  it('reads damaged files as problems', async () => {
    for (const bytes of [
      Buffer.alloc(4),
      Buffer.alloc(64, 0xff),
      safetensors({ a: [] as never }),
      Buffer.alloc(0),
    ]) {
      write('model.safetensors', bytes);
      const { problems } = await inspectModel(folder, loadAddon());
      assert.match(problems.join('\n'), /model\.safetensors (has a damaged header|cannot be read)/);
    }
  });

  it('takes sizes that the config leaves to the class of its language model', async () => {
    write('config.json', {
      architectures: ['LlavaForConditionalGeneration'],
      model_type: 'llava',
      image_token_index: 32000,
      text_config: {
        model_type: 'llama',
        max_position_embeddings: 4096,
        rms_norm_eps: 1e-5,
        vocab_size: 32064,
      },
      vision_config: { model_type: 'clip_vision_model', hidden_size: 1024, image_size: 336, patch_size: 14 },
    });
    const { maxModelLen, memory } = await inspectModel(folder, loadAddon());
    assert.equal(maxModelLen, 4096);
    // Keys and values of 32 layers of 4096 in bfloat16.
    assert.deepEqual(memory[0]?.kvBytes.at(-1), { numTokens: 4096, numBytes: 4096 * 2 * 32 * 4096 * 2 });
  });

  it('goes by the architecture where there is one, as loading does', async () => {
    write(
      'config.json',
      configWith({ architectures: ['Qwen2ForSequenceClassification'], model_type: 'qwen2' }),
    );
    const { family, problems } = await inspectModel(folder, loadAddon());
    assert.equal(family, undefined);
    assert.match(problems.join('\n'), /"Qwen2ForSequenceClassification" is not supported/);
  });

  it('describes an architecture that is not supported', async () => {
    write('config.json', configWith({ architectures: ['SomethingElse'], model_type: 'else' }));
    const inspection = await inspectModel(folder, loadAddon());
    assert.equal(inspection.family, undefined);
    assert.match(inspection.problems.join('\n'), /"SomethingElse" is not supported/);
    assert.match(describeInspection(inspection)[0]!, /not supported/);
  });

  it('refuses a folder without config.json', async () => {
    rmSync(path.join(folder, 'config.json'));
    await assert.rejects(
      inspectModel(folder, loadAddon()),
      (error: SensoriumError) => error.code === 'invalid_checkpoint',
    );
  });
});
