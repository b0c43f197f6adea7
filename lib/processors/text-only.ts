import { SensoriumError } from '../errors.js';
import type { Modality } from '../media/types.js';
import { expandPlaceholders, writeOneRun } from './expand.js';
import type { Processor } from './types.js';

const refused = (modality: Modality): SensoriumError =>
  new SensoriumError('unsupported_modality', `This model does not take ${modality} input.`);

/** Text models take no media: every item is refused. */
export function createTextOnlyProcessor(family: string): Processor {
  return {
    family,
    modalities: [],
    placeholders: {},
    samplingRate: 16_000,
    videoSampling: { fps: 2, minFrames: 4, maxFrames: 768, frameFactor: 2 },
    process: (media) => Promise.reject(refused(media.kind)),
    processEmbeddings: (modality) => {
      throw refused(modality);
    },
    expand: (tokenIds, items) => expandPlaceholders(tokenIds, items, {}, writeOneRun),
  };
}
