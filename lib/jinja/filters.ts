import {
  floatOf,
  isList,
  isNumber,
  isText,
  isUndefined,
  toValue,
  type Environment,
  type Value,
} from './library.js';
import { capitalize, numCharacters, strip } from './strings.js';
import { bindTest } from './tests.js';
import { attributeOf, compare, print, requireItems, toList } from './values.js';

export interface FilterCall {
  value: Value;
  args: Value[];
  named: ReadonlyMap<string, Value>;
  environment: Environment;
  /** Another filter on another value. */
  apply: (value: Value, name: string, args: Value[]) => Value;
}

type Filter = (call: FilterCall) => Value;

const HTML: ReadonlyMap<string, string> = new Map([
  ['&', '&amp;'],
  ['<', '&lt;'],
  ['>', '&gt;'],
  ['"', '&#34;'],
  ["'", '&#39;'],
]);

const escape: Filter = ({ value }) =>
  toValue(print(value).replace(/[&<>"']/g, (character) => HTML.get(character) ?? character));

/** select and reject, and selectattr and rejectattr, whose first argument is the attribute that is looked at. */
function select(isKept: boolean, hasAttribute: boolean): Filter {
  return ({ value, args, environment }) => {
    const path = hasAttribute ? args[0] : undefined;
    const [name, arg] = hasAttribute ? args.slice(1) : args;
    const test = bindTest(name === undefined ? undefined : print(name), arg, environment);
    const items = requireItems(value, isKept ? 'select' : 'reject');
    return toList(items.filter((item) => test(attributeOf(item, path)) === isKept));
  };
}

const map: Filter = ({ value, args, named, apply }) => {
  const items = requireItems(value, 'map');
  const path = named.get('attribute');
  if (path === undefined)
    return toList(items.map((item) => apply(item, print(args[0] ?? toValue('')), args.slice(1))));
  const fallback = named.get('default');
  return toList(
    items.map((item) => {
      const found = attributeOf(item, path);
      return found.type === 'UndefinedValue' ? (fallback ?? found) : found;
    }),
  );
};

const join: Filter = ({ value, args, named }) => {
  const path = args[1] ?? named.get('attribute');
  const separator = args[0] ?? named.get('d') ?? toValue('');
  return toValue(
    requireItems(value, 'join')
      .map((item) => print(attributeOf(item, path)))
      .join(print(separator)),
  );
};

/** Halves go to the even neighbour, as in Python. */
const round: Filter = ({ value, args }) => {
  if (!isNumber(value)) throw new Error('round takes a number');
  const scale = 10 ** (isNumber(args[0]) ? args[0].value : 0);
  const scaled = value.value * scale;
  const isHalf = Math.abs(scaled - Math.trunc(scaled)) === 0.5;
  return floatOf((isHalf ? 2 * Math.round(scaled / 2) : Math.round(scaled)) / scale);
};

/** The first of the greatest items (`sign` 1), or of the least (-1), by their attribute where one is named. */
function extreme(sign: 1 | -1): Filter {
  return ({ value, named }) => {
    const path = named.get('attribute');
    const isBetter = (item: Value, best: Value): boolean =>
      sign * compare(attributeOf(item, path), attributeOf(best, path)) > 0;
    const [first, ...rest] = requireItems(value, sign === 1 ? 'max' : 'min');
    return rest.reduce((best, item) => (isBetter(item, best) ? item : best), first ?? toValue(undefined));
  };
}

const sum: Filter = ({ value, args, named }) => {
  const path = args[0] ?? named.get('attribute');
  const start = args[1] ?? named.get('start') ?? toValue(0);
  const items = requireItems(value, 'sum').map((item) => attributeOf(item, path));
  if (isList(start)) return toList([start, ...items].flatMap((item) => requireItems(item, 'sum')));
  if (![start, ...items].every(isNumber)) throw new Error('sum takes numbers');
  const total = [start, ...items].reduce((before, item) => before + Number(item.value), 0);
  return [start, ...items].some(({ type }) => type === 'FloatValue') ? floatOf(total) : toValue(total);
};

/** Characters are counted without making values of them: a message may have millions. */
const length: Filter = ({ value }) =>
  toValue(isText(value) ? numCharacters(value.value) : requireItems(value, 'length').length);

const fallback: Filter = ({ value, args, named }) => {
  const isReplaced = (args[1] ?? named.get('boolean'))?.__bool__().value === true && !value.__bool__().value;
  if (!isReplaced && !isUndefined(value)) return value;
  return args[0] ?? named.get('default_value') ?? toValue('');
};

/** Filters that the library lacks, or that take less there than in Jinja2. */
const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['select', select(true, false)],
  ['reject', select(false, false)],
  ['selectattr', select(true, true)],
  ['rejectattr', select(false, true)],
  ['map', map],
  ['join', join],
  ['list', ({ value }) => toList(requireItems(value, 'list'))],
  ['first', ({ value }) => requireItems(value, 'first')[0] ?? toValue(undefined)],
  ['last', ({ value }) => requireItems(value, 'last').at(-1) ?? toValue(undefined)],
  ['default', fallback],
  ['d', fallback],
  ['length', length],
  ['count', length],
  [
    'reverse',
    ({ value }) => {
      const items = [...requireItems(value, 'reverse')].reverse();
      return isText(value) ? toValue(items.map(print).join('')) : toList(items);
    },
  ],
  ['string', ({ value }) => toValue(print(value))],
  ['trim', ({ value, args: [set] }) => toValue(strip(print(value), set))],
  ['capitalize', ({ value }) => toValue(capitalize(print(value)))],
  ['upper', ({ value }) => toValue(print(value).toUpperCase())],
  ['lower', ({ value }) => toValue(print(value).toLowerCase())],
  ['wordcount', ({ value }) => toValue(print(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0)],
  ['escape', escape],
  ['e', escape],
  ['round', round],
  ['max', extreme(1)],
  ['min', extreme(-1)],
  ['sum', sum],
]);

export const findFilter = (name: string): Filter | undefined => FILTERS.get(name);
