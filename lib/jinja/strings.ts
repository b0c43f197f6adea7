import { functionOf, isList, isNumber, isObject, isText, listOf, toValue, type Value } from './library.js';
import { print } from './values.js';

type Method = (text: string, args: Value[]) => unknown;

const BLANKS = /\s/u;

/** Python's strip(): off the ends that are named go the characters of `set`, blanks where there is none. */
export function strip(
  text: string,
  set: Value | undefined,
  ends: 'left' | 'right' | 'both' = 'both',
): string {
  const characters = Array.from(text);
  const given = isText(set) ? new Set(set.value) : undefined;
  const isStripped = (character: string | undefined): boolean =>
    character !== undefined && (given === undefined ? BLANKS.test(character) : given.has(character));
  let [start, end] = [0, characters.length];
  if (ends !== 'right') while (start < end && isStripped(characters[start])) start++;
  if (ends !== 'left') while (end > start && isStripped(characters[end - 1])) end--;
  return characters.slice(start, end).join('');
}

export const capitalize = (text: string): string =>
  text.slice(0, 1).toUpperCase() + text.slice(1).toLowerCase();

function textAt(args: Value[], i: number, method: string): string {
  const arg = args[i];
  if (isText(arg)) return arg.value;
  throw new Error(`${method}() takes strings`);
}

function splitFromRight(text: string, args: Value[]): string[] {
  const [separator, most] = args;
  const limit = isNumber(most) && most.value >= 0 ? most.value : Infinity;
  const parts = isText(separator)
    ? text.split(separator.value)
    : text.split(/\s+/u).filter((part) => part !== '');
  const joint = isText(separator) ? separator.value : ' ';
  const numJoined = Math.max(0, parts.length - limit);
  return numJoined === 0 ? parts : [parts.slice(0, numJoined).join(joint), ...parts.slice(numJoined)];
}

function occurrences(text: string, part: string): number {
  return part === '' ? text.length + 1 : text.split(part).length - 1;
}

/** Fields without conversions or formats: `{}`, `{0}`, `{name}`. */
function format(text: string, args: Value[]): string {
  const named = args.find((arg) => arg.type === 'KeywordArgumentsValue');
  let next = 0;
  return text.replace(/\{\{|\}\}|\{(\w*)\}/g, (field, name: string | undefined) => {
    if (name === undefined) return field.slice(0, 1);
    const value = /^\d*$/.test(name)
      ? args[name === '' ? next++ : Number(name)]
      : isObject(named) && named.value.get(name);
    if (value === undefined || value === false) throw new Error(`format() has no value for ${field}`);
    return print(value);
  });
}

const every =
  (pattern: RegExp): Method =>
  (text) =>
    text !== '' && Array.from(text).every((character) => pattern.test(character));

/** Methods that the library lacks, or that take no arguments there. */
const METHODS: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['strip', (text, [set]) => strip(text, set)],
  ['lstrip', (text, [set]) => strip(text, set, 'left')],
  ['rstrip', (text, [set]) => strip(text, set, 'right')],
  ['capitalize', capitalize],
  ['rsplit', splitFromRight],
  ['splitlines', (text) => text.replace(/\r?\n$/, '').split(/\r\n|\r|\n/)],
  ['find', (text, args) => text.indexOf(textAt(args, 0, 'find'))],
  ['rfind', (text, args) => text.lastIndexOf(textAt(args, 0, 'rfind'))],
  ['index', (text, args) => text.indexOf(textAt(args, 0, 'index'))],
  ['count', (text, args) => occurrences(text, textAt(args, 0, 'count'))],
  ['join', (text, [list]) => (isList(list) ? list.value.map(print) : []).join(text)],
  ['format', format],
  [
    'removeprefix',
    (text, args) => {
      const prefix = textAt(args, 0, 'removeprefix');
      return text.startsWith(prefix) ? text.slice(prefix.length) : text;
    },
  ],
  [
    'removesuffix',
    (text, args) => {
      const suffix = textAt(args, 0, 'removesuffix');
      return suffix !== '' && text.endsWith(suffix) ? text.slice(0, -suffix.length) : text;
    },
  ],
  ['isdigit', every(/\p{Nd}/u)],
  ['isalpha', every(/\p{L}/u)],
  ['isalnum', every(/[\p{L}\p{N}]/u)],
  ['isspace', every(/\s/u)],
  ['isupper', (text) => text !== text.toLowerCase() && text === text.toUpperCase()],
  ['islower', (text) => text !== text.toUpperCase() && text === text.toLowerCase()],
]);

/** A method of a string; undefined: the library has it, or nothing does. */
export function stringMethod(text: string, name: string): Value | undefined {
  const method = METHODS.get(name);
  return (
    method &&
    functionOf((args) => {
      const result = method(text, args);
      return Array.isArray(result) ? listOf(result.map(toValue)) : toValue(result);
    })
  );
}
