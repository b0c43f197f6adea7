import { functionOf, isNumber, isObject, isText, listOf, toValue, type Value } from './library.js';
import { print, requireItems } from './values.js';

type Method = (text: string, args: Value[]) => unknown;

const BLANK = /\p{White_Space}/u;
/** Further blanks of Python's. */
const SEPARATORS = '\x1c\x1d\x1e\x1f';
const LINE_ENDS = new RegExp(`\r\n|[\n\r\v\f${SEPARATORS.slice(0, 3)}\u0085\u2028\u2029]`, 'u');

const isBlank = (character: string): boolean => BLANK.test(character) || SEPARATORS.includes(character);
const isLow = (unit: number): boolean => (unit & 0xfc00) === 0xdc00;

/** As Python counts them: a pair of surrogates is one. */
export function numCharacters(text: string): number {
  let num = 0;
  for (let i = 0; i < text.length; i += (text.codePointAt(i) ?? 0) > 0xffff ? 2 : 1) num++;
  return num;
}

/** The character that ends at `end`. */
function characterBefore(text: string, end: number): string {
  const pair = isLow(text.charCodeAt(end - 1)) ? text.codePointAt(end - 2) : undefined;
  return pair !== undefined && pair > 0xffff ? text.slice(end - 2, end) : text.charAt(end - 1);
}

/** Python's strip(): off the ends that are named go the characters of `set`, blanks where there is none. */
export function strip(
  text: string,
  set: Value | undefined,
  ends: 'left' | 'right' | 'both' = 'both',
): string {
  const given = isText(set) ? new Set(set.value) : undefined;
  const isStripped = (character: string): boolean => given?.has(character) ?? isBlank(character);
  let [start, end] = [0, text.length];
  const first = (): string => String.fromCodePoint(text.codePointAt(start) ?? 0);
  if (ends !== 'right') while (start < end && isStripped(first())) start += first().length;
  const last = (): string => characterBefore(text, end);
  if (ends !== 'left') while (end > start && isStripped(last())) end -= last().length;
  return text.slice(start, end);
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

/** Where a part begins, in characters; -1 where it is not. */
const placeOf = (text: string, index: number): number =>
  index < 0 ? -1 : numCharacters(text.slice(0, index));

function placeIn(text: string, part: string): number {
  const index = text.indexOf(part);
  if (index < 0) throw new Error('index() does not find its string');
  return placeOf(text, index);
}

function splitLines(text: string): string[] {
  const lines = text.split(LINE_ENDS);
  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
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
  ['splitlines', splitLines],
  ['find', (text, args) => placeOf(text, text.indexOf(textAt(args, 0, 'find')))],
  ['rfind', (text, args) => placeOf(text, text.lastIndexOf(textAt(args, 0, 'rfind')))],
  ['index', (text, args) => placeIn(text, textAt(args, 0, 'index'))],
  ['count', (text, args) => occurrences(text, textAt(args, 0, 'count'))],
  [
    'join',
    (text, [items]) =>
      requireItems(items ?? toValue(undefined), 'join')
        .map(print)
        .join(text),
  ],
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
  ['isspace', (text) => text !== '' && Array.from(text).every(isBlank)],
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
