import * as library from '@huggingface/jinja';

/** A value while a template runs. Lists, objects and functions hold values. */
export interface Value {
  type: string;
  value: unknown;
  /** Methods, of values that have some. */
  builtins: ReadonlyMap<string, Value>;
  __bool__(): { value: boolean };
}

export type ListValue = Value & { value: Value[] };
export type ObjectValue = Value & { value: Map<string, Value> };
export type TextValue = Value & { value: string };
export type NumberValue = Value & { value: number };

/** A node of a template's syntax tree; which fields it has depends on its type. */
export interface Node {
  type: string;
  value?: unknown;
  args?: Node[];
  callee?: Node;
  filter?: Node;
  operand?: Node;
  object?: Node;
  property?: Node;
  computed?: boolean;
  iterable?: Node;
  loopvar?: Node;
  body?: Node[];
  defaultBlock?: Node[];
  /** A name, or the condition of a selection. */
  test?: Node;
  negate?: boolean;
  lhs?: Node;
  left?: Node;
  right?: Node;
  operator?: { value: string };
}

export interface Environment {
  variables: Map<string, Value>;
  tests: ReadonlyMap<string, (...values: Value[]) => boolean>;
  set(name: string, value: unknown): Value;
}

/** The library's interpreter; its own declarations do not resolve in ES modules, and hide the methods that are replaced. */
export interface Interpreter {
  run(program: Node): TextValue;
  evaluate(node: Node | undefined, environment: Environment): Value;
  evaluateArguments(args: Node[], environment: Environment): [Value[], Map<string, Value>];
  applyFilter(operand: Value, filter: Node, environment: Environment): Value;
  evaluateBinaryExpression(node: Node, environment: Environment): Value;
  evaluateMemberExpression(node: Node, environment: Environment): Value;
  evaluateTestExpression(node: Node, environment: Environment): Value;
  evaluateFor(node: Node, environment: Environment): Value;
  evaluateBlock(statements: Node[], environment: Environment): Value;
}

const parts = library as unknown as {
  Environment: new (outer?: Environment) => Environment;
  Interpreter: new (environment: Environment) => Interpreter;
  parse: (tokens: unknown) => Node;
  tokenize: (source: string, options: object) => unknown;
};

export const { Environment: LibraryEnvironment, Interpreter: LibraryInterpreter } = parts;

const RAW = /\{%(-?)\s*raw\s*(-?)%\}\n?([\s\S]*?)\{%(-?)\s*endraw\s*(-?)%\}\n?/g;

/** Raw blocks, which the library does not know, as the texts that they stand for. */
function replaceRaw(source: string): string {
  return source.replace(
    RAW,
    (_block, before: string, afterStart: string, raw: string, beforeEnd: string, after) => {
      const started = afterStart === '' ? raw : raw.trimStart();
      const text = (beforeEnd === '' ? started : started.trimEnd())
        .replace(/[\\']/g, '\\$&')
        .replaceAll('\n', '\\n');
      return `{{${before} '${text}' ${String(after)}}}`;
    },
  );
}

/** As Hugging Face sets up its environment for chat templates. Throws on templates that are not well-formed. */
export const parse = (source: string): Node =>
  parts.parse(parts.tokenize(replaceRaw(source), { lstrip_blocks: true, trim_blocks: true }));

/** A plain value of JavaScript as the library holds it; lists and objects may hold such values and no others. */
export const toValue = (plain: unknown): Value => new LibraryEnvironment().set('value', plain);

type Constructor = new (content: unknown) => Value;
const constructorOf = (plain: unknown): Constructor => toValue(plain).constructor as Constructor;

const List = constructorOf([]);
const Dictionary = constructorOf({});
const Function = constructorOf(() => null);
const Float = constructorOf(0.5);

export const listOf = (values: Value[]): ListValue => new List(values) as ListValue;
export const objectOf = (values: Map<string, Value>): ObjectValue => new Dictionary(values) as ObjectValue;
export const floatOf = (number: number): Value => new Float(number);
export const functionOf = (call: (args: Value[]) => Value): Value => new Function(call);

export const isText = (value: Value | undefined): value is TextValue => value?.type === 'StringValue';
export const isList = (value: Value | undefined): value is ListValue =>
  value?.type === 'ArrayValue' || value?.type === 'TupleValue';
export const isObject = (value: Value | undefined): value is ObjectValue =>
  value?.type === 'ObjectValue' ||
  value?.type === 'NamespaceValue' ||
  value?.type === 'KeywordArgumentsValue';
export const isNumber = (value: Value | undefined): value is NumberValue =>
  value?.type === 'IntegerValue' || value?.type === 'FloatValue';
export const isUndefined = (value: Value | undefined): boolean =>
  value === undefined || value.type === 'UndefinedValue';
