/** Runs of combining marks up to this length are left to the runtime. */
const LONG_RUN = /\p{M}{64,}/gu;

/** Marks of the lowest and of a high class: every mark that moves goes past one of the two. */
const OVERLAY = '\u0334';
const ABOVE = '\u0301';

const goesBehind = (mark: string, other: string): boolean =>
  mark !== other && (mark + other).normalize('NFD') === other + mark;

/** Classes of marks, ascending; absent: those that never move and that no other passes. */
function classify(marks: ReadonlySet<string>): Map<string, number> {
  const moving = [...marks].filter((mark) => goesBehind(mark, OVERLAY) || goesBehind(ABOVE, mark));
  const ordered = moving.sort((a, b) => Number(goesBehind(a, b)) - Number(goesBehind(b, a)));
  const classOf = new Map<string, number>();
  let current = 0;
  for (const [i, mark] of ordered.entries()) {
    if (i > 0 && goesBehind(mark, ordered[i - 1] as string)) current++;
    classOf.set(mark, current);
  }
  return classOf;
}

/** One run, decomposed and in canonical order. */
function orderRun(run: string): string {
  const marksOf = new Map(Array.from(new Set(run), (mark) => [mark, Array.from(mark.normalize('NFD'))]));
  const classOf = classify(new Set([...marksOf.values()].flat()));
  const passing = new Map<number, string>();
  let text = '';
  const flush = (): void => {
    for (const key of [...passing.keys()].sort((a, b) => a - b)) text += passing.get(key) ?? '';
    passing.clear();
  };
  for (const character of run) {
    for (const mark of marksOf.get(character) ?? []) {
      const key = classOf.get(mark);
      if (key === undefined) {
        flush();
        text += mark;
      } else passing.set(key, (passing.get(key) ?? '') + mark);
    }
  }
  flush();
  return text;
}

/**
 * Long runs of combining marks in canonical order, which changes no normal form: the runtime sorts them in a time that
 * grows with the square of their length.
 */
export const orderMarks = (text: string): string => text.replace(LONG_RUN, orderRun);
