import { createHash, type Hash } from 'node:crypto';
import { nextTurn, throwIfAborted } from './failure.js';
import type { DecodedMedia, Modality, RawPixels } from './types.js';

/** Bytes hashed in one turn of the event loop. */
const BYTES_PER_TURN = 512 * 1024;

async function updateInTurns(hash: Hash, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
  for (let start = 0; start < bytes.length; start += BYTES_PER_TURN) {
    hash.update(bytes.subarray(start, start + BYTES_PER_TURN));
    if (start + BYTES_PER_TURN >= bytes.length) return;
    await nextTurn();
    throwIfAborted(signal);
  }
}

/** SHA-256 of encoded media, as hex; long inputs leave the event loop free. */
export async function hashBytes(bytes: Uint8Array, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  await updateInTurns(hash, bytes, signal);
  return hash.digest('hex');
}

/** SHA-256 of decoded media: the shape is hashed with the values, so 30x100 and 100x30 differ. */
export async function hashDecoded(media: DecodedMedia, signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const { shape, blocks } = describe(media);
  hash.update(JSON.stringify(shape));
  for (const block of blocks) {
    await updateInTurns(hash, block, signal);
    if (blocks.length > 1) await nextTurn();
  }
  if (media.kind === 'video' && media.audio) hash.update(await hashDecoded(media.audio, signal));
  return hash.digest('hex');
}

/** SHA-256 of pixels as they were given: their layout is hashed with them. */
export async function hashPixels(pixels: RawPixels, signal?: AbortSignal): Promise<string> {
  const { data, width, height, channels, isPlanar = false } = pixels;
  const hash = createHash('sha256');
  hash.update(JSON.stringify(['pixels', width, height, channels, isPlanar]));
  await updateInTurns(hash, data, signal);
  return hash.digest('hex');
}

function describe(media: DecodedMedia): { shape: unknown[]; blocks: Uint8Array[] } {
  switch (media.kind) {
    case 'image':
      return { shape: ['image', media.width, media.height], blocks: [media.data] };
    case 'audio': {
      const { buffer, byteOffset, byteLength } = media.samples;
      return {
        shape: ['audio', media.samplingRate],
        blocks: [new Uint8Array(buffer, byteOffset, byteLength)],
      };
    }
    case 'video': {
      const { width, height, frames, sampledFps, metadata } = media;
      return { shape: ['video', width, height, frames.length, sampledFps, metadata], blocks: frames };
    }
  }
}

/** JSON with sorted keys: equal options give equal text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) => {
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner;
    return ['object', Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))];
  });
}

export interface MediaKeyParts {
  /** Caches are shared only within one tenant. */
  tenant: string;
  modelId: string;
  modality: Modality;
  /** The client's own name of the medium, or the hash of its content. */
  identity: { uuid: string } | { contentHash: string };
  ioKwargs: Record<string, unknown>;
  processorKwargs: Record<string, unknown>;
}

/** Name of a processed item in every cache: everything that changes the encoder's input is part of it. */
export function mediaKey(parts: MediaKeyParts): string {
  const { tenant, modelId, modality, identity, ioKwargs, processorKwargs } = parts;
  // JSON escapes lone surrogates, so different strings never become the same bytes.
  const text = canonicalJson([tenant, modelId, modality, identity, ioKwargs, processorKwargs]);
  return createHash('sha256').update(text).digest('hex');
}
