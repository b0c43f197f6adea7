import type { DecodedAudio, DecodedVideo } from '../media/types.js';
import type { ProcessedItem } from './types.js';

/** A clip and its own sound, where it was decoded with one, as one item. When the sound fails the clip's memory is given back. */
export async function withOwnSound(
  clip: ProcessedItem,
  { audio: sound }: DecodedVideo,
  processAudio: (sound: DecodedAudio) => Promise<ProcessedItem>,
): Promise<ProcessedItem> {
  if (sound === undefined) return clip;
  try {
    const audio = await processAudio(sound);
    return { ...clip, audio, sizeBytes: clip.sizeBytes + audio.sizeBytes };
  } catch (error) {
    clip.media.dispose();
    throw error;
  }
}
