import type { TensorSpec } from './random-checkpoint.js';

/** Sizes of a Qwen2 language model. */
export interface TextShape {
  numLayers: number;
  hidden: number;
  numHeads: number;
  numKvHeads: number;
  headDim: number;
  ffn: number;
  vocab: number;
}

/** The 474 M text model: every rival's table in the literature of small CPU models can be compared with it. */
export const TEXT_474M: TextShape = {
  numLayers: 28,
  hidden: 1024,
  numHeads: 16,
  numKvHeads: 8,
  headDim: 128,
  ffn: 3072,
  vocab: 32768,
};

/** The language model of the Qwen2-VL shape. */
export const VL_TEXT: TextShape = { ...TEXT_474M, numLayers: 12 };

/** The vision tower of the Qwen2-VL shape. */
export const VL_VISION = { depth: 12, embedDim: 768, numHeads: 12, mlpRatio: 4, patchSize: 14 };

export function textConfig(shape: TextShape): Record<string, unknown> {
  return {
    hidden_size: shape.hidden,
    num_hidden_layers: shape.numLayers,
    num_attention_heads: shape.numHeads,
    num_key_value_heads: shape.numKvHeads,
    head_dim: shape.headDim,
    intermediate_size: shape.ffn,
    vocab_size: shape.vocab,
    hidden_act: 'silu',
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    max_position_embeddings: 8192,
    tie_word_embeddings: true,
    torch_dtype: 'bfloat16',
    bos_token_id: 1,
    eos_token_id: 2,
  };
}

export function textTensors(shape: TextShape): TensorSpec[] {
  const { hidden, ffn } = shape;
  const queryWidth = shape.numHeads * shape.headDim;
  const kvWidth = shape.numKvHeads * shape.headDim;
  const tensors: TensorSpec[] = [
    { name: 'model.embed_tokens.weight', shape: [shape.vocab, hidden], fill: 'normal' },
    { name: 'model.norm.weight', shape: [hidden], fill: 'ones' },
  ];
  for (let layer = 0; layer < shape.numLayers; layer++) {
    const prefix = `model.layers.${layer}.`;
    const projection = (name: string, rows: number): TensorSpec[] => [
      { name: `${prefix}self_attn.${name}.weight`, shape: [rows, hidden], fill: 'normal' },
      { name: `${prefix}self_attn.${name}.bias`, shape: [rows], fill: 'zeros' },
    ];
    tensors.push(
      { name: `${prefix}input_layernorm.weight`, shape: [hidden], fill: 'ones' },
      { name: `${prefix}post_attention_layernorm.weight`, shape: [hidden], fill: 'ones' },
      ...projection('q_proj', queryWidth),
      ...projection('k_proj', kvWidth),
      ...projection('v_proj', kvWidth),
      { name: `${prefix}self_attn.o_proj.weight`, shape: [hidden, queryWidth], fill: 'normal' },
      { name: `${prefix}mlp.gate_proj.weight`, shape: [ffn, hidden], fill: 'normal' },
      { name: `${prefix}mlp.up_proj.weight`, shape: [ffn, hidden], fill: 'normal' },
      { name: `${prefix}mlp.down_proj.weight`, shape: [hidden, ffn], fill: 'normal' },
    );
  }
  return tensors;
}

export function visionTensors(outputWidth: number): TensorSpec[] {
  const { depth, embedDim, mlpRatio, patchSize } = VL_VISION;
  const merged = 4 * embedDim;
  const weightAndBias = (name: string, rows: number, columns: number): TensorSpec[] => [
    { name: `${name}.weight`, shape: [rows, columns], fill: 'normal' },
    { name: `${name}.bias`, shape: [rows], fill: 'zeros' },
  ];
  const norm = (name: string): TensorSpec[] => [
    { name: `${name}.weight`, shape: [embedDim], fill: 'ones' },
    { name: `${name}.bias`, shape: [embedDim], fill: 'zeros' },
  ];
  const tensors: TensorSpec[] = [
    { name: 'visual.patch_embed.proj.weight', shape: [embedDim, 3, 2, patchSize, patchSize], fill: 'normal' },
    ...norm('visual.merger.ln_q'),
    ...weightAndBias('visual.merger.mlp.0', merged, merged),
    ...weightAndBias('visual.merger.mlp.2', outputWidth, merged),
  ];
  for (let block = 0; block < depth; block++) {
    const prefix = `visual.blocks.${block}.`;
    tensors.push(
      ...norm(`${prefix}norm1`),
      ...norm(`${prefix}norm2`),
      ...weightAndBias(`${prefix}attn.qkv`, 3 * embedDim, embedDim),
      ...weightAndBias(`${prefix}attn.proj`, embedDim, embedDim),
      ...weightAndBias(`${prefix}mlp.fc1`, mlpRatio * embedDim, embedDim),
      ...weightAndBias(`${prefix}mlp.fc2`, embedDim, mlpRatio * embedDim),
    );
  }
  return tensors;
}

/** Weights of the layers and of the head, each read once a decoded token. */
export function textWeightCount(shape: TextShape): { body: number; head: number } {
  const attention = shape.hidden * shape.headDim * (2 * shape.numHeads + 2 * shape.numKvHeads);
  return {
    body: shape.numLayers * (attention + 3 * shape.hidden * shape.ffn),
    head: shape.vocab * shape.hidden,
  };
}

/** Operations of a prefill of `length` tokens whose last row alone goes through the head; causal attention counts half. */
export function prefillFlops(shape: TextShape, length: number): number {
  const { body, head } = textWeightCount(shape);
  const attention = shape.numLayers * 4 * (length / 2) * length * shape.numHeads * shape.headDim;
  return 2 * body * length + 2 * head + attention;
}

/** Operations of the vision tower and merger over one picture of `numPatches` patches. */
export function visionFlops(numPatches: number, outputWidth: number): number {
  const { depth, embedDim, mlpRatio, patchSize } = VL_VISION;
  const perPatch =
    2 * embedDim * (3 * 2 * patchSize * patchSize) + depth * 2 * embedDim * embedDim * (4 + 2 * mlpRatio);
  const attention = depth * 4 * numPatches * numPatches * embedDim;
  const merged = 4 * embedDim;
  return numPatches * perPatch + attention + (numPatches / 4) * 2 * merged * (merged + outputWidth);
}
