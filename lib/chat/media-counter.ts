import { SensoriumError } from '../errors.js';
import type { MediaRules } from '../llm/types.js';
import type { Modality } from '../media/types.js';

/** Media parts of one prompt, all modalities together. */
export const MAX_MEDIA_PARTS = 256;

/** Counts media against the limits over a whole conversation. */
export class MediaCounter {
  private readonly counts: Record<Modality, number> = { image: 0, video: 0, audio: 0 };
  private numParts = 0;

  constructor(private readonly rules: MediaRules) {}

  /** Throws `unsupported_modality` and `too_many_media`, naming `param`. */
  add(modality: Modality, param: string, form: 'raw' | 'embeddings' = 'raw'): void {
    const limit = this.rules.limits[modality];
    this.checkModality(modality, param);
    if (form === 'embeddings' && !this.rules.hasEmbeddings) throw embeddingsOff(modality, param);
    const isFree = form === 'embeddings' && limit === 0;
    if (!isFree && ++this.counts[modality] > limit) throw this.tooMany(modality, limit, param);
    if (++this.numParts <= MAX_MEDIA_PARTS) return;
    const message = `At most ${MAX_MEDIA_PARTS} media parts may be provided in one prompt.`;
    throw new SensoriumError('too_many_media', message, { param, details: { limit: MAX_MEDIA_PARTS } });
  }

  private checkModality(modality: Modality, param: string): void {
    const { modalities } = this.rules;
    if (modalities.includes(modality)) return;
    const known = ['text', ...modalities].join(', ');
    const message = `At most 0 ${modality}(s) may be provided in one prompt: this model takes ${known} only.`;
    throw new SensoriumError('unsupported_modality', message, { param, details: { modality, limit: 0 } });
  }

  private tooMany(modality: Modality, limit: number, param: string): SensoriumError {
    const message =
      `At most ${limit} ${modality}(s) may be provided in one prompt.` +
      ' Set `--limit-mm-per-prompt` to increase this limit.';
    return new SensoriumError('too_many_media', message, { param, details: { modality, limit } });
  }
}

function embeddingsOff(modality: Modality, param: string): SensoriumError {
  const message = `You must set \`--enable-mm-embeds\` to input \`${modality}_embeds\`.`;
  return new SensoriumError('unsupported_modality', message, { param, details: { modality } });
}
