import { findFilter } from './filters.js';
import {
  isList,
  isNumber,
  isText,
  LibraryEnvironment,
  LibraryInterpreter,
  listOf,
  toValue,
  type Environment,
  type Node,
  type Value,
} from './library.js';
import { bind, enterTurn, LoopControl } from './loops.js';
import { stringMethod } from './strings.js';
import { bindTest } from './tests.js';
import { areEqual, compare, isIn, itemsOf, print } from './values.js';

/** A node that stands for a value already at hand. */
const KNOWN = 'KnownValue';
const known = (value: Value): Node => ({ type: KNOWN, value });

/** Longest string and list that a repetition makes. */
const MAX_REPEATED = 2 ** 20;

/** What Python's dictionaries have, whatever their keys: `d.items` is the method, `d['items']` the item. */
const METHODS_OF_OBJECTS: ReadonlySet<string> = new Set(['get', 'items', 'keys', 'values']);

/** Nodes that give nothing to print. */
const SILENT: ReadonlySet<string> = new Set(['Set', 'Macro', 'Comment', 'If', 'For']);

function repeat(left: Value, right: Value): Value | undefined {
  const [repeated, times] = isNumber(left) ? [right, left] : [left, right];
  if (!isNumber(times) || !(isText(repeated) || isList(repeated))) return undefined;
  const count = Math.max(0, times.value);
  if (count * Math.max(1, repeated.value.length) > MAX_REPEATED) throw new Error('a repetition is too long');
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

/** A method that goes before what the library finds under its name. */
function methodOf(object: Value, name: string): Value | undefined {
  if (isText(object)) return stringMethod(object.value, name);
  return object.type === 'ObjectValue' && METHODS_OF_OBJECTS.has(name)
    ? object.builtins.get(name)
    : undefined;
}

/** The library's interpreter with Python's semantics where it has JavaScript's. */
export class Interpreter extends LibraryInterpreter {
  override evaluate(node: Node | undefined, environment: Environment): Value {
    if (node?.type === KNOWN) return node.value as Value;
    if (node?.type === 'Break' || node?.type === 'Continue') throw new LoopControl(node.type === 'Break');
    return super.evaluate(node, environment);
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
    const method = node.computed === true ? undefined : methodOf(object, String(node.property?.value));
    return method ?? super.evaluateMemberExpression({ ...node, object: known(object) }, environment);
  }

  override evaluateTestExpression(node: Node, environment: Environment): Value {
    const test = bindTest(String(node.test?.value), undefined, environment);
    return toValue(test(this.evaluate(node.operand, environment)) !== (node.negate === true));
  }

  /** A loop over a string is over its characters. A turn's variables end with it; what it printed before it was left stays. */
  override evaluateFor(node: Node, environment: Environment): Value {
    const items = this.selectItems(node, environment);
    let text = '';
    let isElseWanted = true;
    for (const index of items.keys()) {
      const turn = enterTurn(items, index, node.loopvar, environment);
      try {
        text += print(this.evaluateBlock(node.body ?? [], turn));
        isElseWanted = false;
      } catch (error) {
        if (!(error instanceof LoopControl)) throw error;
        text += error.text;
        if (error.endsLoop) break;
      }
    }
    if (!isElseWanted) return toValue(text);
    return toValue(
      text + print(this.evaluateBlock(node.defaultBlock ?? [], new LibraryEnvironment(environment))),
    );
  }

  /** What a loop is over: with a condition, the items for which it holds. */
  private selectItems({ iterable, loopvar }: Node, environment: Environment): readonly Value[] {
    const isSelection = iterable?.type === 'SelectExpression';
    const value = this.evaluate(isSelection ? iterable.lhs : iterable, environment);
    const items = itemsOf(value);
    if (items === undefined) throw new Error(`nothing loops over ${value.type}`);
    if (!isSelection) return items;
    return items.filter((item) => {
      const scope = new LibraryEnvironment(environment);
      bind(loopvar, item, scope);
      return this.evaluate(iterable.test, scope).__bool__().value;
    });
  }

  override evaluateBlock(statements: Node[], environment: Environment): Value {
    let text = '';
    for (const statement of statements) {
      const value = this.evaluateIn(text, statement, environment);
      if (!SILENT.has(statement.type) || isText(value)) text += print(value);
    }
    return toValue(text);
  }
  /** `before`: what stands before the statement in its block. */
  private evaluateIn(before: string, statement: Node, environment: Environment): Value {
    try {
      return this.evaluate(statement, environment);
    } catch (error) {
      if (error instanceof LoopControl) error.text = before + error.text;
      throw error;
    }
  }
}
