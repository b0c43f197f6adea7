import type { VideoMetadata } from '../media/types.js';
import type { PromptBuilder } from './expand.js';
import type { TextCodec } from './types.js';

/**
 * Seconds of each temporal patch: the middle between its first and its last frame; the last frame is repeated.
 * Source: Hugging Face's Qwen3VLProcessor.
 */
export function patchTimes({ framesIndices, fps }: VideoMetadata, temporalPatchSize: number): number[] {
  const last = framesIndices.length - 1;
  const timeOf = (place: number): number => (framesIndices[Math.min(place, last)] as number) / fps;
  const numPatches = Math.ceil(framesIndices.length / temporalPatchSize);
  return Array.from({ length: numPatches }, (_, patch) => {
    const first = patch * temporalPatchSize;
    return (timeOf(first) + timeOf(first + temporalPatchSize - 1)) / 2;
  });
}

/** As Python's "%.1f": ties, which only odd quarters are, go to the even digit. */
export function formatTenths(seconds: number): string {
  const quarters = seconds * 4;
  if (!Number.isInteger(quarters) || quarters % 2 === 0) return seconds.toFixed(1);
  const tenths = Math.floor(seconds * 10);
  return ((tenths % 2 === 0 ? tenths : tenths + 1) / 10).toFixed(1);
}

const HAS_LETTER_OR_DIGIT = /[\p{L}\p{N}]/u;

/** More blanks and marks than stand between two words. */
const MAX_TAIL_TOKENS = 64;

/** Takes the tokens behind the prompt's last word off it: only they may join what follows into other tokens. */
function takeTail(tokenIds: number[], text: TextCodec): string {
  let first = tokenIds.length;
  while (first > 0 && tokenIds.length - first < MAX_TAIL_TOKENS) {
    const tokenId = tokenIds[first - 1] as number;
    if (text.isSpecial(tokenId) || HAS_LETTER_OR_DIGIT.test(text.decode([tokenId]))) break;
    first--;
  }
  return text.decode(tokenIds.splice(first));
}

/** Writes `<1.5 seconds>` as if it had been part of the text before it. */
export function writeTimestamp(builder: PromptBuilder, seconds: number, text: TextCodec): void {
  const tail = takeTail(builder.tokenIds, text);
  for (const tokenId of text.encodePlain(`${tail}<${formatTenths(seconds)} seconds>`)) builder.add(tokenId);
}
