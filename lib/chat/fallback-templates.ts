/** Templates for checkpoints that bring none, by `model_type`: what each family was trained with. */

const DEFAULT_SYSTEM = 'You are a helpful assistant.';

/** ChatML over plain text: media are spelled in place. `system` stands where a conversation has no system message. */
const chatMl = (system: string): string => `{%- for message in messages -%}
{%- if loop.first and message['role'] != 'system' -%}
{{- '<|im_start|>system\\n${system}<|im_end|>\\n' -}}
{%- endif -%}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}`;

interface PartSpellings {
  image?: string;
  video?: string;
  audio?: string;
}

/** ChatML over parts. `spellings` are expressions: `numbers` counts the parts of each kind. */
function chatMlOfParts(spellings: PartSpellings, system?: string): string {
  const cases = Object.entries(spellings).map(
    ([kind, spelling]) => `{%- elif part['type'] == '${kind}' -%}
{%- set numbers.${kind} = numbers.${kind} + 1 -%}
{{- ${spelling} -}}`,
  );
  const opening =
    system === undefined
      ? ''
      : `{%- if loop.first and message['role'] != 'system' -%}
{{- '<|im_start|>system\\n${system}<|im_end|>\\n' -}}
{%- endif -%}`;
  return `{%- set numbers = namespace(image=0, video=0, audio=0) -%}
{%- for message in messages -%}
${opening}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'text' -%}
{{- part['text'] -}}
${cases.join('\n')}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}`;
}

/** As qwen-vl-utils' checkpoints: `add_vision_id` numbers pictures and videos. */
const vision = (word: string, kind: string, token: string): string =>
  `('${word} ' ~ numbers.${kind} ~ ': ' if add_vision_id else '') + '<|vision_start|>${token}<|vision_end|>'`;

const QWEN_VISION: PartSpellings = {
  image: vision('Picture', 'image', '<|image_pad|>'),
  video: vision('Video', 'video', '<|video_pad|>'),
};

const QWEN2_5_OMNI = chatMlOfParts(
  {
    image: "'<|vision_bos|><|IMAGE|><|vision_eos|>'",
    video: "'<|vision_bos|><|VIDEO|><|vision_eos|>'",
    audio: "'<|audio_bos|><|AUDIO|><|audio_eos|>'",
  },
  DEFAULT_SYSTEM,
);

const QWEN3_OMNI = chatMlOfParts({
  image: "'<|vision_start|><|image_pad|><|vision_end|>'",
  video: "'<|vision_start|><|video_pad|><|vision_end|>'",
  audio: "'<|audio_start|><|audio_pad|><|audio_end|>'",
});

const QWEN2_AUDIO = chatMlOfParts(
  { audio: "'Audio ' ~ numbers.audio ~ ': <|audio_bos|><|AUDIO|><|audio_eos|>\\n'" },
  DEFAULT_SYSTEM,
);

/** Vicuna's turns: the pictures of a message, each on its line, then its texts. */
const LLAVA = `{%- for message in messages -%}
{%- if message['role'] != 'system' -%}{{- message['role'] | upper + ': ' -}}{%- endif -%}
{%- for part in message['content'] | selectattr('type', 'equalto', 'image') -%}{{- '<image>\\n' -}}{%- endfor -%}
{%- for part in message['content'] | selectattr('type', 'equalto', 'text') -%}{{- part['text'] + ' ' -}}{%- endfor -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- 'ASSISTANT:' -}}{%- endif -%}`;

/** ChatML with a blank after the role; pictures, then videos, then texts on lines of their own. */
const LLAVA_ONEVISION = `{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + ' ' -}}
{%- for part in message['content'] | selectattr('type', 'equalto', 'image') -%}{{- '<image>' -}}{%- endfor -%}
{%- for part in message['content'] | selectattr('type', 'equalto', 'video') -%}{{- '<video>' -}}{%- endfor -%}
{%- for part in message['content'] | selectattr('type', 'equalto', 'text') -%}{{- '\\n' + part['text'] -}}{%- endfor -%}
{{- '<|im_end|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}`;

const PHI3 = `{%- for message in messages -%}
{{- '<|' + message['role'] + '|>\\n' + message['content'] + '<|end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>\\n' -}}{%- endif -%}`;

const LLAMA3 = `{{- bos_token -}}
{%- for message in messages -%}
{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' -}}{%- endif -%}`;

const FALLBACK_TEMPLATES: ReadonlyMap<string, string> = new Map([
  ['qwen2', chatMl(DEFAULT_SYSTEM)],
  ['qwen2_vl', chatMlOfParts(QWEN_VISION, DEFAULT_SYSTEM)],
  ['qwen2_5_vl', chatMlOfParts(QWEN_VISION, DEFAULT_SYSTEM)],
  ['qwen2_5_omni', QWEN2_5_OMNI],
  ['qwen2_5_omni_thinker', QWEN2_5_OMNI],
  ['qwen2_audio', QWEN2_AUDIO],
  ['qwen3_vl', chatMlOfParts(QWEN_VISION)],
  ['qwen3_vl_moe', chatMlOfParts(QWEN_VISION)],
  ['qwen3_omni_moe', QWEN3_OMNI],
  ['qwen3_omni_moe_thinker', QWEN3_OMNI],
  ['llava', LLAVA],
  ['llava_onevision', LLAVA_ONEVISION],
  ['phi3_v', PHI3],
  ['minicpmv', chatMl(DEFAULT_SYSTEM)],
  ['ultravox', LLAMA3],
]);

/** Undefined: the family has no usual template (a base model, or one that takes no chats, such as Whisper). */
export function fallbackTemplate(modelType: string): string | undefined {
  return FALLBACK_TEMPLATES.get(modelType);
}
