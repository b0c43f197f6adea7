import { findFilter } from './filters.js';
import {
  isList,
  isNumber,
  isText,
  LibraryInterpreter,
  listOf,
  toValue,
  type Environment,
  type Node,
  type Value,
} from './library.js';
import { stringMethod } from './strings.js';
import { areEqual, compare, isIn, itemsOf, print } from './values.js';

/** A node that stands for a value already at hand. */
const KNOWN = 'KnownValue';
const known = (value: Value): Node => ({ type: KNOWN, value });

/** Longest string and list that a repetition makes. */
const MAX_REPEATED = 2 ** 20;

/** Nodes that give nothing to print. */
const SILENT: ReadonlySet<string> = new Set(['Set', 'Macro', 'Comment', 'If', 'For']);

function repeat(left: Value, right: Value): Value | undefined {
  const [repeated, times] = isNumber(left) ? [right, left] : [left, right];
  if (!isNumber(times) || !(isText(repeated) || isList(repeated))) return undefined;
  const count = Math.max(0, times.value);
  if (count * repeated.value.length > MAX_REPEATED) throw new Error('a repetition is too long');
  if (isText(repeated)) return toValue(repeated.value.repeat(count));
  return listOf(Array.from({ length: count }, () => repeated.value).flat());
}

/** Operators that the library lacks for these operands, or has otherwise than Python. Undefined: it has them. */
function operate(operator: string, left: Value, right: Value): Value | undefined {
  switch (operator) {
    case '==':
      return toValue(areEqual(left, right));
    case '!=':
      return toValue(!areEqual(left, right));
    case 'in':
      return toValue(isIn(left, right));
    case 'not in':
      return toValue(!isIn(left, right));
    case '~':
      return toValue(print(left) + print(right));
    case '*':
      return repeat(left, right);
    case '<':
      return isText(left) ? toValue(compare(left, right) < 0) : undefined;
    case '>':
      return isText(left) ? toValue(compare(left, right) > 0) : undefined;
    case '<=':
      return isText(left) ? toValue(compare(left, right) <= 0) : undefined;
    case '>=':
      return isText(left) ? toValue(compare(left, right) >= 0) : undefined;
    case '+':
      if (isText(left) !== isText(right))
        throw new Error(`'+' joins strings with strings, not ${left.type} with ${right.type}`);
      return undefined;
    default:
      return undefined;
  }
}

/** The library's interpreter with Python's semantics where it has JavaScript's. */
export class Interpreter extends LibraryInterpreter {
  override evaluate(node: Node | undefined, environment: Environment): Value {
    return node?.type === KNOWN ? (node.value as Value) : super.evaluate(node, environment);
  }

  override applyFilter(operand: Value, filter: Node, environment: Environment): Value {
    const isCall = filter.type === 'CallExpression';
    const name = String((isCall ? filter.callee : filter)?.value);
    const own = findFilter(name);
    if (own === undefined) return super.applyFilter(operand, filter, environment);
    const [args, named] = this.evaluateArguments((isCall ? filter.args : undefined) ?? [], environment);
    const apply = (value: Value, other: string, rest: Value[]): Value => {
      const callee = { type: 'Identifier', value: other };
      const call = rest.length === 0 ? callee : { type: 'CallExpression', callee, args: rest.map(known) };
      return this.applyFilter(value, call, environment);
    };
    return own({ value: operand, args, named, environment, apply });
  }

  override evaluateBinaryExpression(node: Node, environment: Environment): Value {
    const operator = node.operator?.value ?? '';
    if (operator === 'and' || operator === 'or') return super.evaluateBinaryExpression(node, environment);
    const left = this.evaluate(node.left, environment);
    const right = this.evaluate(node.right, environment);
    const result = operate(operator, left, right);
    return (
      result ??
      super.evaluateBinaryExpression({ ...node, left: known(left), right: known(right) }, environment)
    );
  }

  override evaluateMemberExpression(node: Node, environment: Environment): Value {
    const object = this.evaluate(node.object, environment);
    const method =
      isText(object) && node.computed !== true
        ? stringMethod(object.value, String(node.property?.value))
        : undefined;
    return method ?? super.evaluateMemberExpression({ ...node, object: known(object) }, environment);
  }

  /** A loop over a string is over its characters. */
  override evaluateFor(node: Node, environment: Environment): Value {
    const { iterable } = node;
    const isSelection = iterable?.type === 'SelectExpression';
    const value = this.evaluate(isSelection ? iterable.lhs : iterable, environment);
    const items = known(listOf(itemsOf(value) ?? []));
    if (itemsOf(value) === undefined) throw new Error(`nothing loops over ${value.type}`);
    return super.evaluateFor(
      { ...node, iterable: isSelection ? { ...iterable, lhs: items } : items },
      environment,
    );
  }

  override evaluateBlock(statements: Node[], environment: Environment): Value {
    let text = '';
    for (const statement of statements) {
      const value = this.evaluate(statement, environment);
      if (!SILENT.has(statement.type) || isText(value)) text += print(value);
    }
    return toValue(text);
  }
}
