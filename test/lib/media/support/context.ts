import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createMediaPolicy } from '../../../../lib/media/policy.js';
import type { DecodeContext } from '../../../../lib/media/decode-context.js';
import type { MediaPolicy } from '../../../../lib/media/types.js';
import { REPOSITORY } from '../../support/goldens.js';

/** A policy that no environment variable changes. */
export function policyWith(overrides: Partial<MediaPolicy> = {}): MediaPolicy {
  return createMediaPolicy(overrides, {});
}

/** A decode context that counts what is reserved. */
export function contextWith(overrides: Partial<MediaPolicy> = {}): DecodeContext & { reserved: number[] } {
  const reserved: number[] = [];
  return {
    policy: policyWith(overrides),
    reserved,
    reserve: (numBytes) => {
      reserved.push(numBytes);
      return Promise.resolve();
    },
  };
}

export const FILES = join(REPOSITORY, 'test', 'lib', 'media', 'files');
export const readFixture = (name: string): Buffer => readFileSync(join(FILES, name));

export const QWEN_SAMPLING = { fps: 2, minFrames: 4, maxFrames: 768, frameFactor: 2 };
