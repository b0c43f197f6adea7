import { SensoriumError } from '../errors.js';

/** Sizes that embeddings may be shortened to, as the checkpoint was trained (Matryoshka). */
export interface EmbeddingSizes {
  full: number;
  /** Any size from 1, the listed ones, or none but the full one. */
  shorter: 'any' | readonly number[];
}

/** From config.json's `is_matryoshka` and `matryoshka_dimensions`. */
export function readEmbeddingSizes(config: Record<string, unknown>, full: number): EmbeddingSizes {
  const { matryoshka_dimensions: listed, is_matryoshka: isAny } = config;
  const sizes = Array.isArray(listed) ? listed.filter((size) => Number.isInteger(size)) : undefined;
  return { full, shorter: (sizes as number[] | undefined) ?? (isAny === true ? 'any' : []) };
}

/** Throws `invalid_value` for a size that the model's embeddings do not keep their meaning at. */
export function checkEmbeddingSize(dimensions: number | undefined, { full, shorter }: EmbeddingSizes): void {
  if (dimensions === undefined || dimensions === full) return;
  const isWhole = Number.isInteger(dimensions) && dimensions >= 1 && dimensions < full;
  if (isWhole && (shorter === 'any' || shorter.includes(dimensions))) return;
  const allowed =
    shorter === 'any' ? `a whole number from 1 to ${full}` : `one of ${[...shorter, full].join(', ')}`;
  throw new SensoriumError('invalid_value', `dimensions must be ${allowed} for this model.`, {
    param: 'dimensions',
  });
}

/** The first `dimensions` numbers, again of length 1 where `isNormalized`. */
export function shortenEmbedding(
  embedding: Float32Array,
  dimensions: number | undefined,
  isNormalized: boolean,
): Float32Array {
  if (dimensions === undefined || dimensions === embedding.length) return embedding;
  const short = embedding.slice(0, dimensions);
  if (!isNormalized) return short;
  const length = Math.sqrt(short.reduce((sum, value) => sum + value * value, 0));
  return length === 0 ? short : short.map((value) => value / length);
}
