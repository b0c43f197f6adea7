/** A name as checkpoints and the wire write it: `minPixels` becomes `min_pixels`. */
export const toSnakeName = (name: string): string =>
  name.replace(
    /([a-z0-9])([A-Z])/g,
    (_, before: string, after: string) => `${before}_${after.toLowerCase()}`,
  );

/** The same object by snake_case names; a value that is given wins over one that is not. */
export function withSnakeNames(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [name, entry] of Object.entries(value)) result[toSnakeName(name)] ??= entry;
  return result;
}
