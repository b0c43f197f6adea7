import { Interpreter } from './interpreter.js';
import { LibraryEnvironment, parse, type Environment, type Node } from './library.js';
import { formatNow } from './strftime.js';

function raise(message: unknown): never {
  throw new Error(String(message));
}

/** Most items of a range. */
const MAX_RANGE = 100_000;

function range(first: number, stop?: number, step = 1): number[] {
  const [from, to] = stop === undefined ? [0, first] : [first, stop];
  const length = Math.max(0, Math.ceil((to - from) / step));
  if (!(length <= MAX_RANGE)) throw new Error(`a range has at most ${MAX_RANGE} items`);
  return Array.from({ length }, (_, i) => from + i * step);
}

const GLOBALS: Readonly<Record<string, unknown>> = {
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  range,
  raise_exception: raise,
  strftime_now: (format: string) => formatNow(format),
};

/** A chat template, compiled. */
export class Template {
  /** The syntax tree. */
  readonly tree: Node;

  /** Throws on a template that is not well-formed. */
  constructor(source: string) {
    this.tree = parse(source);
  }

  /** Throws what the template raises, and where it cannot go on. */
  render(variables: Readonly<Record<string, unknown>>): string {
    const environment: Environment = new LibraryEnvironment();
    // Variables may have the name of a global, and go before it.
    for (const [name, value] of Object.entries({ ...GLOBALS, ...variables })) {
      environment.variables.delete(name);
      environment.set(name, value);
    }
    return new Interpreter(environment).run(this.tree).value;
  }
}
