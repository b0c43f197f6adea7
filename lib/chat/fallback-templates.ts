/** Templates for checkpoints that bring none, by `model_type`. They take text: media are spelled in place. */

const CHATML = `{%- for message in messages -%}
{%- if loop.first and message['role'] != 'system' -%}
{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}
{%- endif -%}
{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}`;

const FALLBACK_TEMPLATES: ReadonlyMap<string, string> = new Map([
  ['qwen2', CHATML],
  ['qwen2_vl', CHATML],
  ['qwen2_5_vl', CHATML],
  ['qwen2_5_omni', CHATML],
  ['qwen2_5_omni_thinker', CHATML],
]);

export function fallbackTemplate(modelType: string): string | undefined {
  return FALLBACK_TEMPLATES.get(modelType);
}
