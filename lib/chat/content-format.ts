import { parse } from '../jinja/library.js';

/**
 * What a template expects of `message.content`: `openai` loops over parts and prints placeholders itself,
 * `string` takes text.
 */
export type ContentFormat = 'openai' | 'string';

/** A node of the template's syntax tree; only the fields that matter here. */
interface Node {
  type?: string;
  value?: unknown;
  object?: Node;
  property?: Node;
  operand?: Node;
  lhs?: Node;
  assignee?: Node;
  iterable?: Node;
  loopvar?: Node;
}

/** Bounds the walk over a hostile tree. */
const MAX_NODES = 200_000;

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value;

/** All nodes of a tree, in no special order. */
function collectNodes(root: object): Node[] {
  const found: Node[] = [];
  const pending: unknown[] = [root];
  while (pending.length > 0 && found.length < MAX_NODES) {
    const value = pending.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (isNode(value)) found.push(value);
    if (value instanceof Map) pending.push(...value.keys(), ...value.values());
    else pending.push(...Object.values(value as Record<string, unknown>));
  }
  return found;
}

const nameOf = (node: Node | undefined): string | undefined =>
  node?.type === 'Identifier' && typeof node.value === 'string' ? node.value : undefined;

/** The node below filters, tests, selections and slices. */
function unwrap(node: Node | undefined): Node | undefined {
  for (let at = node; ;) {
    if (at?.type === 'FilterExpression' || at?.type === 'TestExpression') at = at.operand;
    else if (at?.type === 'SelectExpression') at = at.lhs;
    else if (at?.type === 'MemberExpression' && at.property?.type === 'SliceExpression') at = at.object;
    else return at;
  }
}

/** Names that stand for the list of messages: `messages` and what is plainly assigned from it. */
function messageListNames(nodes: readonly Node[]): Set<string> {
  const names = new Set(['messages']);
  const assignments = nodes.filter((node) => node.type === 'Set');
  for (let numBefore = -1; numBefore !== names.size;) {
    numBefore = names.size;
    for (const { assignee, value } of assignments) {
      const from = isNode(value) ? nameOf(unwrap(value)) : undefined;
      const to = nameOf(assignee);
      if (from !== undefined && to !== undefined && names.has(from)) names.add(to);
    }
  }
  return names;
}

function isContentOf(node: Node | undefined, messageNames: ReadonlySet<string>): boolean {
  if (node?.type !== 'MemberExpression') return false;
  const object = nameOf(node.object);
  const property = node.property?.value;
  return object !== undefined && messageNames.has(object) && property === 'content';
}

export function detectContentFormat(source: string): ContentFormat {
  const nodes = collectNodes(parse(source));
  const lists = messageListNames(nodes);
  const loops = nodes.filter((node) => node.type === 'For');
  const messageNames = new Set<string>();
  for (const loop of loops) {
    const list = nameOf(unwrap(loop.iterable));
    const variable = nameOf(loop.loopvar);
    if (list !== undefined && lists.has(list) && variable !== undefined) messageNames.add(variable);
  }
  const isPartLoop = (loop: Node): boolean => {
    const iterable = unwrap(loop.iterable);
    return nameOf(iterable) === 'content' || isContentOf(iterable, messageNames);
  };
  return loops.some(isPartLoop) ? 'openai' : 'string';
}
