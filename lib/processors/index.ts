import { SensoriumError } from '../errors.js';
import type { NativeAddon } from '../native/addon.js';
import { objectAt, readCheckpointFiles, type CheckpointFiles, type JsonObject } from './checkpoint-files.js';
import { createLlavaOnevisionProcessor } from './llava-onevision.js';
import { createLlavaProcessor } from './llava.js';
import { createMinicpmVProcessor } from './minicpm-v.js';
import { createPhi3VProcessor } from './phi3-v.js';
import { createQwen25OmniProcessor } from './qwen2-5-omni.js';
import { createQwen2AudioProcessor } from './qwen2-audio.js';
import { createQwen2VlProcessor } from './qwen2-vl.js';
import { createQwen3OmniProcessor } from './qwen3-omni.js';
import { createQwen3VlProcessor } from './qwen3-vl.js';
import { createTextOnlyProcessor } from './text-only.js';
import type { Processor } from './types.js';
import { createUltravoxProcessor } from './ultravox.js';
import { createWhisperProcessor } from './whisper.js';

interface Family {
  name: string;
  /** `architectures[0]` of config.json decides; `model_type` does where there are no architectures. */
  architectures: string[];
  modelTypes: string[];
  create: (family: string, files: CheckpointFiles, addon: NativeAddon) => Processor;
}

const FAMILIES: readonly Family[] = [
  {
    name: 'qwen2',
    architectures: ['Qwen2ForCausalLM'],
    modelTypes: ['qwen2'],
    create: createTextOnlyProcessor,
  },
  {
    name: 'llama',
    architectures: ['LlamaForCausalLM'],
    modelTypes: ['llama'],
    create: createTextOnlyProcessor,
  },
  {
    name: 'mistral',
    architectures: ['MistralForCausalLM'],
    modelTypes: ['mistral'],
    create: createTextOnlyProcessor,
  },
  {
    name: 'phi3',
    architectures: ['Phi3ForCausalLM'],
    modelTypes: ['phi3'],
    create: createTextOnlyProcessor,
  },
  {
    name: 'llava',
    architectures: ['LlavaForConditionalGeneration'],
    modelTypes: ['llava'],
    create: createLlavaProcessor,
  },
  {
    name: 'llava_onevision',
    architectures: ['LlavaOnevisionForConditionalGeneration'],
    modelTypes: ['llava_onevision'],
    create: createLlavaOnevisionProcessor,
  },
  {
    name: 'phi3_v',
    architectures: ['Phi3VForCausalLM'],
    modelTypes: ['phi3_v'],
    create: createPhi3VProcessor,
  },
  {
    name: 'minicpm_v',
    architectures: ['MiniCPMV'],
    modelTypes: ['minicpmv'],
    create: createMinicpmVProcessor,
  },
  {
    name: 'qwen2_vl',
    architectures: ['Qwen2VLForConditionalGeneration'],
    modelTypes: ['qwen2_vl'],
    create: createQwen2VlProcessor,
  },
  {
    name: 'qwen2_5_vl',
    architectures: ['Qwen2_5_VLForConditionalGeneration'],
    modelTypes: ['qwen2_5_vl'],
    create: createQwen2VlProcessor,
  },
  {
    name: 'qwen2_5_omni',
    architectures: [
      'Qwen2_5OmniModel',
      'Qwen2_5OmniForConditionalGeneration',
      'Qwen2_5OmniThinkerForConditionalGeneration',
    ],
    modelTypes: ['qwen2_5_omni', 'qwen2_5_omni_thinker'],
    create: createQwen25OmniProcessor,
  },
  {
    name: 'qwen3',
    architectures: ['Qwen3ForCausalLM'],
    modelTypes: ['qwen3'],
    create: createTextOnlyProcessor,
  },
  {
    name: 'qwen3_moe',
    architectures: ['Qwen3MoeForCausalLM'],
    modelTypes: ['qwen3_moe'],
    create: createTextOnlyProcessor,
  },
  {
    name: 'qwen3_vl',
    architectures: ['Qwen3VLForConditionalGeneration'],
    modelTypes: ['qwen3_vl'],
    create: createQwen3VlProcessor,
  },
  {
    name: 'qwen3_vl_moe',
    architectures: ['Qwen3VLMoeForConditionalGeneration'],
    modelTypes: ['qwen3_vl_moe'],
    create: createQwen3VlProcessor,
  },
  {
    name: 'qwen3_omni_moe',
    architectures: ['Qwen3OmniMoeForConditionalGeneration', 'Qwen3OmniMoeThinkerForConditionalGeneration'],
    modelTypes: ['qwen3_omni_moe', 'qwen3_omni_moe_thinker'],
    create: createQwen3OmniProcessor,
  },
  {
    name: 'qwen2_audio',
    architectures: ['Qwen2AudioForConditionalGeneration'],
    modelTypes: ['qwen2_audio'],
    create: createQwen2AudioProcessor,
  },
  {
    name: 'ultravox',
    architectures: ['UltravoxModel'],
    modelTypes: ['ultravox'],
    create: createUltravoxProcessor,
  },
  {
    name: 'whisper',
    architectures: ['WhisperForConditionalGeneration'],
    modelTypes: ['whisper'],
    create: createWhisperProcessor,
  },
];

/**
 * The processor of the checkpoint in `folder`, from its own config files.
 * Throws `unsupported_architecture` naming the supported ones, `invalid_checkpoint`.
 */
export async function createProcessor(folder: string, addon: NativeAddon): Promise<Processor> {
  const files = await readCheckpointFiles(folder, addon.findCompanion(folder));
  const family = findFamily(files.config);
  return family.create(family.name, files, addon);
}

function findFamily(config: JsonObject): Family {
  const architectures = config['architectures'];
  const architecture = textOf(Array.isArray(architectures) ? (architectures as unknown[])[0] : undefined);
  const modelType = textOf(config['model_type'] ?? objectAt(config, 'thinker_config')?.['model_type']);
  const family = FAMILIES.find(({ architectures: known, modelTypes }) =>
    architecture === '' ? modelTypes.includes(modelType) : known.includes(architecture),
  );
  if (family !== undefined) return family;
  const supported = FAMILIES.map(({ architectures: known }) => known[0]).join(', ');
  throw new SensoriumError(
    'unsupported_architecture',
    `The architecture "${architecture || modelType}" is not supported; supported are ${supported}.`,
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
