import { SensoriumError } from '../errors.js';
import { readNamedFile } from './named-file.js';
import { maxEncodedBytes } from './policy.js';
import { checkPixels } from './raw-pixels.js';
import { numSamplesOf, toMonoSound } from './raw-samples.js';
import { readSharpImage } from './sharp-object.js';
import type { DecodedAudio, MediaPolicy, MediaSource, Modality, RawPixels } from './types.js';

/** Media that the calling program itself holds or names. */
export type HeldSource = Extract<MediaSource, { kind: 'path' | 'pixels' | 'samples' | 'sharp' }>;

export type LoadedHeldSource =
  | { kind: 'bytes'; bytes: Uint8Array }
  | { kind: 'pixels'; pixels: RawPixels }
  | { kind: 'decoded'; media: DecodedAudio };

export interface HeldSourceContext {
  policy: MediaPolicy;
  /** Hz of samples that name no rate. */
  nativeRate: number;
  signal: AbortSignal;
  /** Waits until `numBytes` more may be held. */
  lease: (numBytes: number) => Promise<void>;
}

const BYTES_PER_PIXEL = 4;

/** Throws what the reading or the checks of a source throw; `invalid_type` where it is of another modality. */
export async function loadHeldSource(
  source: HeldSource,
  modality: Modality,
  context: HeldSourceContext,
): Promise<LoadedHeldSource> {
  const { policy, nativeRate, signal, lease } = context;
  if (source.kind === 'path') {
    const bytes = await readNamedFile(source.path, modality, maxEncodedBytes(policy, modality), lease);
    return { kind: 'bytes', bytes };
  }
  const own = source.kind === 'samples' ? 'audio' : 'image';
  if (own !== modality) {
    throw new SensoriumError('invalid_type', `Decoded ${own} was given where ${modality} was expected.`);
  }
  if (source.kind === 'samples') {
    await lease(numSamplesOf(source.sound) * Float32Array.BYTES_PER_ELEMENT);
    return { kind: 'decoded', media: await toMonoSound(source.sound, nativeRate, policy, signal) };
  }
  if (source.kind === 'sharp') {
    const leasePixels = (numPixels: number): Promise<void> => lease(numPixels * BYTES_PER_PIXEL);
    return { kind: 'pixels', pixels: await readSharpImage(source.image, policy, leasePixels, signal) };
  }
  checkPixels(source.pixels, policy);
  return { kind: 'pixels', pixels: source.pixels };
}
