import {
  functionOf,
  LibraryEnvironment,
  objectOf,
  toValue,
  type Environment,
  type Node,
  type Value,
} from './library.js';
import { itemsOf } from './values.js';

/** Thrown by `break` and `continue`. */
export class LoopControl extends Error {
  /** What the turn printed before. */
  text = '';

  constructor(readonly endsLoop: boolean) {
    super('break and continue stand in loops only');
  }
}

/** Gives a loop's variable its value; variables in a tuple get one each. */
export function bind(target: Node | undefined, value: Value, environment: Environment): void {
  if (target?.type === 'Identifier') {
    environment.variables.set(String(target.value), value);
    return;
  }
  const names = target?.type === 'TupleLiteral' ? (target.value as Node[]) : [];
  const values = itemsOf(value) ?? [];
  if (names.length === 0 || names.length !== values.length)
    throw new Error(`${value.type} does not unpack into the ${names.length} variables of a loop`);
  for (const [i, name] of names.entries()) bind(name, values[i] as Value, environment);
}

/** What the body of a loop knows as `loop`. */
function describeTurn(items: readonly Value[], index: number): Value {
  const plain = {
    index: index + 1,
    index0: index,
    revindex: items.length - index,
    revindex0: items.length - index - 1,
    first: index === 0,
    last: index === items.length - 1,
    length: items.length,
  };
  const loop = new Map(Object.entries(plain).map(([name, value]) => [name, toValue(value)]));
  loop.set('previtem', items[index - 1] ?? toValue(undefined));
  loop.set('nextitem', items[index + 1] ?? toValue(undefined));
  loop.set(
    'cycle',
    functionOf((args) => args[index % args.length] ?? toValue(undefined)),
  );
  return objectOf(loop);
}

/** Variables of one turn of a loop: what the turn sets ends with it. */
export function enterTurn(
  items: readonly Value[],
  index: number,
  target: Node | undefined,
  outer: Environment,
): Environment {
  const environment = new LibraryEnvironment(outer);
  environment.variables.set('loop', describeTurn(items, index));
  bind(target, items[index] as Value, environment);
  return environment;
}
