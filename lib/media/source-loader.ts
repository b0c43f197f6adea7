import { SensoriumError } from '../errors.js';
import type { ByteBudget, ByteLease } from './budget.js';
import { hashBytes, hashDecoded, hashPixels } from './content-hash.js';
import { decodeBase64, decodeDataUrl } from './data-url.js';
import { checkDecodedMedia } from './decoded-media.js';
import { hashTensors, loadTensors, type LoadedTensors } from './embeddings.js';
import { invalidMedia, nextTurn, throwIfAborted, tooLarge } from './failure.js';
import { atFrame, type FrameList, type FramePicture } from './frame-list.js';
import { loadHeldSource, type HeldSource } from './held-source.js';
import type { HttpFetcher } from './http-fetcher.js';
import { Limiter } from './limiter.js';
import { readLocalFile } from './local-file.js';
import { checkFps, splitFrameList } from './media-settings.js';
import { maxEncodedBytes } from './policy.js';
import type { DecodedMedia, MediaPolicy, MediaSource, Modality, TensorSource, RawPixels } from './types.js';
import { parseMediaUrl } from './url-guard.js';

const MAX_CONCURRENT_FRAME_FETCHES = 4;
/** Rate of a `data:video/jpeg` list that nothing else is said of. */
const JPEG_LIST_FPS = 1;

/** What a source is once its bytes are here. */
export type LoadedSource =
  | { kind: 'bytes'; bytes: Uint8Array }
  | ({ kind: 'frames' } & FrameList)
  | { kind: 'decoded'; media: DecodedMedia }
  | { kind: 'pixels'; pixels: RawPixels }
  | { kind: 'embeddings'; tensors: LoadedTensors };

/** What the pieces of one medium are loaded under. */
export interface LoadScope {
  /** Shares of the fetch budget are pushed here; the caller releases them. */
  leases: ByteLease[];
  signal: AbortSignal;
  /** By when everything fetched must be here, on the clock of `performance.now()`. */
  deadlineMs: number;
}

/** Gathers the bytes of media from http(s), `data:`, `file:` and memory, under the fetch budget. */
export class SourceLoader {
  constructor(
    private readonly policy: MediaPolicy,
    private readonly fetcher: HttpFetcher,
    private readonly budget: ByteBudget,
    /** Hz of samples that name no rate of their own. */
    private readonly nativeRate: number,
  ) {}

  async load(source: MediaSource, modality: Modality, scope: LoadScope): Promise<LoadedSource> {
    switch (source.kind) {
      case 'decoded':
        return { kind: 'decoded', media: checkDecodedMedia(source.media, modality, this.policy) };
      case 'embeddings':
        return await this.loadEmbeddings(source.tensors, modality, scope);
      case 'frames':
        return await this.loadFrames(source, scope);
      case 'path':
      case 'pixels':
      case 'samples':
      case 'sharp':
        return await this.loadHeld(source, modality, scope);
      case 'bytes':
        return { kind: 'bytes', bytes: await this.takeBytes(source.bytes, modality, scope) };
      case 'url': {
        const pieces =
          modality === 'video' ? splitFrameList(source.url, this.policy.maxVideoFrames) : undefined;
        if (pieces) return await this.loadFramePieces(pieces, scope);
        return { kind: 'bytes', bytes: await this.loadUrl(source.url, modality, scope) };
      }
    }
  }

  private loadHeld(source: HeldSource, modality: Modality, scope: LoadScope): Promise<LoadedSource> {
    const { policy, nativeRate } = this;
    const { signal } = scope;
    const lease = async (numBytes: number): Promise<void> => {
      await this.lease(numBytes, scope);
    };
    return loadHeldSource(source, modality, { policy, nativeRate, signal, lease });
  }

  private async lease(numBytes: number, scope: LoadScope, maxWaitMs?: number): Promise<ByteLease> {
    const taken = await this.budget.acquire(numBytes, scope.signal, maxWaitMs);
    scope.leases.push(taken);
    return taken;
  }

  private async loadEmbeddings(
    tensors: Record<string, TensorSource>,
    modality: Modality,
    scope: LoadScope,
  ): Promise<LoadedSource> {
    const reserve = (numBytes: number): Promise<unknown> => this.lease(numBytes, scope);
    const { signal } = scope;
    const options = { modality, maxBytes: this.policy.maxEmbeddingBytes, reserve, signal };
    return { kind: 'embeddings', tensors: await loadTensors(tensors, options) };
  }

  private async loadUrl(text: string, modality: Modality, scope: LoadScope): Promise<Uint8Array> {
    const maxBytes = maxEncodedBytes(this.policy, modality);
    const target = parseMediaUrl(text);
    const { signal, deadlineMs } = scope;
    if (target.kind === 'data') {
      if (text.length > maxBytes * 4 + 1024)
        throw tooLarge(modality, `is larger than the limit of ${maxBytes} bytes`);
      await this.lease(Math.min(maxBytes, text.length), scope);
      return await decodeDataUrl(text, modality, maxBytes);
    }
    if (target.kind === 'file') {
      const onSize = (numBytes: number): Promise<unknown> => this.lease(numBytes, scope);
      return await readLocalFile(target.url, this.policy, modality, { signal, onSize });
    }
    let fetchLease: ByteLease | undefined;
    const onLength = async (numBytes: number, maxWaitMs: number): Promise<void> => {
      if (fetchLease !== undefined && numBytes > fetchLease.numBytes) await fetchLease.grow(numBytes, signal);
      else fetchLease ??= await this.lease(numBytes, scope, maxWaitMs);
    };
    const bytes = await this.fetcher.fetch(target.url, { modality, signal, deadlineMs, onLength });
    fetchLease?.shrink(bytes.length);
    return bytes;
  }

  private async loadFrames(
    source: Extract<MediaSource, { kind: 'frames' }>,
    scope: LoadScope,
  ): Promise<LoadedSource> {
    this.checkFrameCount(source.frames.length);
    if (source.fps !== undefined) checkFps(source.fps);
    const limiter = new Limiter(MAX_CONCURRENT_FRAME_FETCHES);
    const pictures = await Promise.all(
      source.frames.map((frame) =>
        limiter.run(async () => {
          const loaded = await this.load(frame, 'image', scope);
          if (loaded.kind === 'bytes') return loaded.bytes;
          if (loaded.kind === 'pixels') return loaded.pixels;
          if (loaded.kind === 'decoded' && loaded.media.kind === 'image') return loaded.media;
          throw new SensoriumError('invalid_type', 'The frames of a video must be pictures.');
        }),
      ),
    );
    return { kind: 'frames', pictures, fps: source.fps, metadata: source.metadata };
  }

  private async loadFramePieces(pieces: string[], scope: LoadScope): Promise<LoadedSource> {
    const { maxVideoBytes } = this.policy;
    const numBytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (numBytes > maxVideoBytes * 2)
      throw tooLarge('video', `is larger than the limit of ${maxVideoBytes} bytes`);
    await this.lease(numBytes, scope);
    const pictures: FramePicture[] = [];
    for (const [i, piece] of pieces.entries()) {
      pictures.push(await atFrame(i, () => decodeBase64(piece, 'image', this.policy.maxImageBytes)));
    }
    return { kind: 'frames', pictures, fps: JPEG_LIST_FPS };
  }

  private checkFrameCount(numFrames: number): void {
    const { maxVideoFrames } = this.policy;
    if (numFrames === 0) throw invalidMedia('video', 'has no frames');
    if (numFrames > maxVideoFrames) throw invalidMedia('video', `has more than ${maxVideoFrames} frames`);
  }

  private async takeBytes(bytes: Uint8Array, modality: Modality, scope: LoadScope): Promise<Uint8Array> {
    const maxBytes = maxEncodedBytes(this.policy, modality);
    if (bytes.length > maxBytes) throw tooLarge(modality, `is larger than the limit of ${maxBytes} bytes`);
    await this.lease(bytes.length, scope);
    return bytes;
  }
}

/** Name of a loaded source by its content alone. */
export async function hashSource(source: LoadedSource, signal: AbortSignal): Promise<string> {
  switch (source.kind) {
    case 'bytes':
      return await hashBytes(source.bytes, signal);
    case 'decoded':
      return await hashDecoded(source.media, signal);
    case 'embeddings':
      return await hashTensors(source.tensors, signal);
    case 'pixels':
      return await hashPixels(source.pixels, signal);
    case 'frames': {
      const hashes: string[] = [];
      for (const picture of source.pictures) {
        // Hundreds of short hashes would hold the event loop as one long one does.
        await nextTurn();
        throwIfAborted(signal);
        hashes.push(await hashPicture(picture, signal));
      }
      const { fps = null, metadata = null } = source;
      return await hashBytes(Buffer.from(JSON.stringify(['frames', fps, metadata, hashes])), signal);
    }
  }
}

function hashPicture(picture: FramePicture, signal: AbortSignal): Promise<string> {
  if (picture instanceof Uint8Array) return hashBytes(picture, signal);
  return 'kind' in picture ? hashDecoded(picture, signal) : hashPixels(picture, signal);
}
