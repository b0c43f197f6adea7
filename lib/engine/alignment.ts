import type { NativeAlignment } from '../native/addon.js';
import type { ExpandedPrompt } from '../processors/types.js';

/** A prompt whose tokens are to be found in the sound that its decoder attends to. */
export interface AlignmentRequest {
  prompt: ExpandedPrompt;
  alignment: NativeAlignment;
  cacheSalt: string;
  signal?: AbortSignal | undefined;
}
