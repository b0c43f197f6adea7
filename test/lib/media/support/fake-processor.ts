import type { NativeMedia } from '../../../../lib/native/addon.js';
import type { DecodedMedia, Modality } from '../../../../lib/media/types.js';
import type { ProcessedItem, Processor } from '../../../../lib/processors/types.js';

/** `disposed`: its media add themselves when they are disposed of. */
export function fakeItem(modality: Modality, sizeBytes: number, disposed: NativeMedia[] = []): ProcessedItem {
  const media: NativeMedia = {
    modality,
    sizeBytes,
    grid: [1, 2, 2],
    numRows: 4,
    tiles: null,
    features: () => new Float32Array(0),
    dispose: () => void disposed.push(media),
  };
  return { modality, media, numTokens: 1, sizeBytes };
}

/** A processor that notes what it is given and makes small items of it. */
export function createFakeProcessor(
  modalities: Modality[] = ['image', 'video', 'audio'],
): Processor & { processed: { media: DecodedMedia; options: Record<string, unknown> }[] } {
  const processed: { media: DecodedMedia; options: Record<string, unknown> }[] = [];
  return {
    processed,
    family: 'fake',
    modalities,
    placeholders: {},
    samplingRate: 16_000,
    videoSampling: { fps: 2, minFrames: 4, maxFrames: 768, frameFactor: 2 },
    process: (media, options) => {
      processed.push({ media, options });
      return Promise.resolve(fakeItem(media.kind, 100));
    },
    processEmbeddings: (modality) => fakeItem(modality, 100),
    expand: () => ({
      promptIds: new Int32Array(0),
      media: [],
      numTokensByModality: { image: 0, video: 0, audio: 0 },
    }),
  };
}
