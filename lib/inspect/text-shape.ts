import { isJsonObject, type JsonObject } from '../model-folder/json-file.js';

/** Sizes of a language model that decide how much memory its KV cache takes. */
export interface TextShape {
  numLayers: number;
  numKvHeads: number;
  headDim: number;
  hiddenSize: number;
  /** Prompt and answer together, in tokens. */
  maxPositions: number | undefined;
  /** Rows of an encoder that each request's cache holds beside its tokens. */
  numCrossRows: number;
}

/** Sizes that the classes of language models have where a config is silent. Source: Hugging Face's configurations. */
const CLASS_SIZES: ReadonlyMap<unknown, JsonObject> = new Map([
  ['llama', sizes(32, 4096, 32, 2048)],
  ['mistral', { ...sizes(32, 4096, 32, 131_072), num_key_value_heads: 8 }],
  ['qwen2', { ...sizes(32, 4096, 32, 32_768), num_key_value_heads: 32 }],
  ['phi3', sizes(32, 3072, 32, 4096)],
]);

function sizes(numLayers: number, hiddenSize: number, numHeads: number, maxPositions: number): JsonObject {
  return {
    num_hidden_layers: numLayers,
    hidden_size: hiddenSize,
    num_attention_heads: numHeads,
    max_position_embeddings: maxPositions,
  };
}

const WRAPPERS = ['thinker_config', 'text_config', 'llm_config', 'language_config'];

/** The section of config.json that describes the language model. */
function findTextSection(config: JsonObject): JsonObject {
  for (const key of WRAPPERS) {
    const inner = config[key];
    if (isJsonObject(inner)) return findTextSection(inner);
  }
  return config;
}

function firstNumber(section: JsonObject, ...keys: string[]): number | undefined {
  return keys.map((key) => section[key]).find((value): value is number => typeof value === 'number');
}

/** The language model's sizes, or undefined where config.json does not say them. */
export function readTextShape(config: JsonObject): TextShape | undefined {
  const given = findTextSection(config);
  const section = { ...CLASS_SIZES.get(given['model_type']), ...given };
  const numLayers = firstNumber(section, 'decoder_layers', 'num_hidden_layers');
  const hiddenSize = firstNumber(section, 'hidden_size', 'd_model');
  const numHeads = firstNumber(section, 'decoder_attention_heads', 'num_attention_heads');
  if (numLayers === undefined || hiddenSize === undefined || numHeads === undefined) return undefined;
  return {
    numLayers,
    hiddenSize,
    numKvHeads: firstNumber(section, 'num_key_value_heads') ?? numHeads,
    headDim: firstNumber(section, 'head_dim') ?? hiddenSize / numHeads,
    maxPositions: firstNumber(section, 'max_position_embeddings', 'max_target_positions'),
    numCrossRows:
      section['is_encoder_decoder'] === true ? (firstNumber(section, 'max_source_positions') ?? 0) : 0,
  };
}

/** Bytes of the keys and values of one request of so many tokens. */
export function kvBytes(
  { numLayers, numKvHeads, headDim, numCrossRows }: TextShape,
  numTokens: number,
  bytesPerElement: number,
): number {
  return (numTokens + numCrossRows) * 2 * numLayers * numKvHeads * headDim * bytesPerElement;
}
