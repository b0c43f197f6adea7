type JsonObject = Record<string, unknown>;

/** How a checkpoint's decoder tells where its tokens lie in what it hears. */
export interface AlignmentHeads {
  /** [layer, head] of the cross-attention that follows the sound. */
  heads: [layer: number, head: number][];
  /** Odd: of the median filter over neighbouring frames. */
  filterWidth: number;
}

const MAX_FILTER_WIDTH = 63;

const isIndex = (value: unknown, count: number): boolean =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) < count;

/** Where nothing is said: all heads of the upper half of the decoder, as openai-whisper takes them. */
function upperHalf(numLayers: number, numHeads: number): [number, number][] {
  const firstLayer = Math.floor(numLayers / 2);
  return Array.from({ length: (numLayers - firstLayer) * numHeads }, (_, i) => [
    firstLayer + Math.floor(i / numHeads),
    i % numHeads,
  ]);
}

/**
 * `alignment_heads` of generation_config.json and `median_filter_width` of config.json. Undefined where they do not fit the
 * decoder (a list that was copied from a larger model): then words have no times.
 */
export function readAlignmentHeads(
  generationConfig: JsonObject,
  config: JsonObject,
): AlignmentHeads | undefined {
  const numLayers = (config['decoder_layers'] ?? 4) as number;
  const numHeads = (config['decoder_attention_heads'] ?? 6) as number;
  const filterWidth = config['median_filter_width'] ?? 7;
  if (!isIndex(filterWidth, MAX_FILTER_WIDTH + 1) || (filterWidth as number) % 2 === 0) return undefined;
  const stated = generationConfig['alignment_heads'] ?? upperHalf(numLayers, numHeads);
  if (!Array.isArray(stated) || stated.length === 0 || stated.length > numLayers * numHeads) return undefined;
  const isHead = (pair: unknown): pair is [number, number] =>
    Array.isArray(pair) && pair.length === 2 && isIndex(pair[0], numLayers) && isIndex(pair[1], numHeads);
  return stated.every(isHead) ? { heads: stated, filterWidth: filterWidth as number } : undefined;
}
