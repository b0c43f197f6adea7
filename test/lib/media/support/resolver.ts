import type { TestContext } from 'node:test';
import sharp from 'sharp';
import { ProcessedItemCache } from '../../../../lib/media/cache.js';
import { MediaResolver, type MediaResolverOptions } from '../../../../lib/media/resolver.js';
import type { MediaOptions, MediaPart, MediaPolicy } from '../../../../lib/media/types.js';
import { policyWith } from './context.js';
import { createFakeProcessor } from './fake-processor.js';

export const PNG = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
  .png()
  .toBuffer();
export const OTHER_PNG = await sharp({ create: { width: 4, height: 4, channels: 3, background: 'blue' } })
  .png()
  .toBuffer();

/** A resolver over a fake processor, closed with the test. */
export function setUp(
  t: TestContext,
  overrides: Partial<MediaPolicy> = {},
  options: Partial<MediaResolverOptions> = {},
) {
  const processor = createFakeProcessor();
  const cache = new ProcessedItemCache(10_000);
  const policy = policyWith({ allowPrivateMediaAddresses: true, ...overrides });
  const resolver = new MediaResolver({ policy, processor, cache, modelId: 'm', ...options });
  t.after(() => resolver.close());
  const resolve = (parts: MediaPart[], request: MediaOptions = {}, tenant = 'a', signal?: AbortSignal) =>
    resolver.withItems(parts, request, { tenant, signal }, (items) => items);
  return { resolve, processor, cache };
}

export const image = (part: Partial<MediaPart>): MediaPart => ({ modality: 'image', param: 'p', ...part });
export const fromUrl = (url: string, part: Partial<MediaPart> = {}): MediaPart =>
  image({ source: { kind: 'url', url }, ...part });
export const fromBytes = (bytes: Uint8Array, part: Partial<MediaPart> = {}): MediaPart =>
  image({ source: { kind: 'bytes', bytes }, ...part });
export const dataUrl = (bytes: Buffer, type = 'image/png'): string =>
  `data:${type};base64,${bytes.toString('base64')}`;
