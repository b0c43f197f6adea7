import { isList, isNumber, isObject, isText, listOf, toValue, type Value } from './library.js';

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\\', '\\\\'],
]);

/** A string as Python's repr() writes it. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\n\r\t\\]/g, (character) => ESCAPES.get(character) ?? character);
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}

/** A value inside a list or an object, as Python prints it. */
function represent(value: Value): string {
  if (isText(value)) return quote(value.value);
  if (value.type === 'UndefinedValue') return 'Undefined';
  if (isList(value)) {
    const items = value.value.map(represent).join(', ');
    if (value.type !== 'TupleValue') return `[${items}]`;
    return value.value.length === 1 ? `(${items},)` : `(${items})`;
  }
  if (isObject(value))
    return `{${Array.from(value.value, ([key, item]) => `${quote(key)}: ${represent(item)}`).join(', ')}}`;
  return print(value);
}

/** A value as Python's str() gives it; undefined ones are empty. */
export function print(value: Value): string {
  if (isText(value)) return value.value;
  if (value.type === 'UndefinedValue') return '';
  if (value.type === 'NullValue') return 'None';
  if (value.type === 'BooleanValue') return value.value === true ? 'True' : 'False';
  if (isList(value) || isObject(value)) return represent(value);
  return (value as { toString(): string }).toString();
}

const asNumber = (value: Value): number | undefined =>
  isNumber(value) ? value.value : value.type === 'BooleanValue' ? Number(value.value) : undefined;

/** Python's `==`. */
export function areEqual(a: Value, b: Value): boolean {
  const [left, right] = [asNumber(a), asNumber(b)];
  if (left !== undefined || right !== undefined) return left === right;
  if (isList(a) && isList(b))
    return (
      a.value.length === b.value.length && a.value.every((item, i) => areEqual(item, b.value[i] as Value))
    );
  if (isObject(a) && isObject(b)) {
    const isSame = ([key, item]: [string, Value]): boolean => {
      const other = b.value.get(key);
      return other !== undefined && areEqual(item, other);
    };
    return a.value.size === b.value.size && [...a.value].every(isSame);
  }
  return a.type === b.type && a.value === b.value;
}

/** Below, equal or above 0, as Python orders numbers, strings and lists. Throws where it does not. */
export function compare(a: Value, b: Value): number {
  const [left, right] = [asNumber(a), asNumber(b)];
  if (left !== undefined && right !== undefined) return left - right;
  if (isText(a) && isText(b)) return a.value < b.value ? -1 : Number(a.value > b.value);
  if (!isList(a) || !isList(b)) throw new Error(`${a.type} and ${b.type} have no order`);
  const at = a.value.findIndex((item, i) => b.value[i] === undefined || !areEqual(item, b.value[i]));
  const [mine, others] = [a.value[at], b.value[at]];
  return mine === undefined || others === undefined ? a.value.length - b.value.length : compare(mine, others);
}

/** Python's `in`. Throws where nothing can be in `container`. */
export function isIn(item: Value, container: Value): boolean {
  if (isText(container)) {
    if (isText(item)) return container.value.includes(item.value);
  } else if (isList(container)) return container.value.some((each) => areEqual(each, item));
  else if (isObject(container)) return isText(item) && container.value.has(item.value);
  else if (container.type === 'UndefinedValue') return false;
  throw new Error(`'in' does not take ${item.type} and ${container.type}`);
}

/** What a loop over a value sees. Undefined: nothing can loop over it. */
export function itemsOf(value: Value): Value[] | undefined {
  if (isList(value)) return value.value;
  if (isText(value)) return Array.from(value.value, toValue);
  if (isObject(value)) return Array.from(value.value.keys(), toValue);
  return value.type === 'UndefinedValue' ? [] : undefined;
}

/** As `itemsOf`, for filters, which take nothing else. */
export function requireItems(value: Value, filter: string): Value[] {
  const items = itemsOf(value);
  if (items === undefined) throw new Error(`the filter ${filter} does not take ${value.type}`);
  return items;
}

/** The attribute or item of that name, "a.b" for one of one. */
export function attributeOf(value: Value, path: Value | undefined): Value {
  if (path === undefined) return value;
  let at = value;
  for (const name of print(path).split('.')) {
    const found = isObject(at) ? at.value.get(name) : isList(at) ? at.value[Number(name)] : undefined;
    at = found ?? toValue(undefined);
  }
  return at;
}

/** A list in a new order or selection; tuples become lists. */
export const toList = (values: Iterable<Value>): Value => listOf([...values]);
