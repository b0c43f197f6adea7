import { isUndefined, toValue, type Environment, type Value } from './library.js';
import { areEqual, compare, isIn, itemsOf } from './values.js';

type Test = (value: Value, arg: Value) => boolean;

const equal: Test = areEqual;
const unequal: Test = (value, arg) => !areEqual(value, arg);
const below: Test = (value, arg) => compare(value, arg) < 0;
const above: Test = (value, arg) => compare(value, arg) > 0;
const atMost: Test = (value, arg) => compare(value, arg) <= 0;
const atLeast: Test = (value, arg) => compare(value, arg) >= 0;

/** Tests that the library lacks, or in which lists and objects are equal only to themselves. */
const TESTS: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['defined', (value) => !isUndefined(value)],
  ['undefined', isUndefined],
  ...['eq', 'equalto', '=='].map((name): [string, Test] => [name, equal]),
  ...['ne', '!='].map((name): [string, Test] => [name, unequal]),
  ...['lt', 'lessthan', '<'].map((name): [string, Test] => [name, below]),
  ...['gt', 'greaterthan', '>'].map((name): [string, Test] => [name, above]),
  ...['le', '<='].map((name): [string, Test] => [name, atMost]),
  ...['ge', '>='].map((name): [string, Test] => [name, atLeast]),
  ['in', isIn],
  ['iterable', (value) => itemsOf(value) !== undefined],
  ['float', (value) => value.type === 'FloatValue'],
  ['divisibleby', (value, arg) => Number(value.value) % Number(arg.value) === 0],
]);

/** A test by its name, with its argument bound. Undefined name: whether the value counts as true. Throws on unknown names. */
export function bindTest(
  name: string | undefined,
  arg: Value | undefined,
  environment: Environment,
): (value: Value) => boolean {
  if (name === undefined) return (value) => value.__bool__().value;
  const test = TESTS.get(name) ?? environment.tests.get(name);
  if (test === undefined) throw new Error(`there is no test '${name}'`);
  const bound = arg ?? toValue(undefined);
  return (value) => test(value, bound);
}
