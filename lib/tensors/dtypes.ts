/** Element types that are read: floats for rows, integers for what stands beside them. */
export type DType = 'float64' | 'float32' | 'float16' | 'bfloat16' | 'int64' | 'int32';

export const BYTES_PER_ELEMENT: Readonly<Record<DType, number>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
};

export function isIntegerType(dtype: DType): boolean {
  return dtype === 'int64' || dtype === 'int32';
}

/** The value of a half-precision number (IEEE 754 binary16). */
function halfToNumber(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Values of all halves by their bits. */
export const HALVES: Readonly<Float32Array> = Float32Array.from({ length: 65_536 }, (_, half) =>
  halfToNumber(half),
);
