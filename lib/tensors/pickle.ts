import { invalidTensor } from './failure.js';

/** A name of Python that a pickle refers to, `module.name`. Never looked up. */
export class PickleGlobal {
  constructor(readonly path: string) {}
}

/** What the unpickler makes of opcodes: plain values, tuples as arrays, and what `PickleHandlers` return. */
export type PickleValue = number | string | boolean | null | PickleGlobal | object;

/** The meaning of the only two things that a pickle may ask for. */
export interface PickleHandlers {
  /** `path(...args)`. Throws for everything that is not known to be harmless. */
  call(path: string, args: readonly PickleValue[]): PickleValue;
  /** An object that lies outside the pickle. */
  load(id: PickleValue): PickleValue;
}

/** The pickle of one tensor has some 150 to 400 bytes. */
const MAX_PICKLE_BYTES = 16 * 1024;
const MAX_STACK = 256;
const MAX_MEMO = 1024;
const MAX_TEXT_BYTES = 256;

const NEWLINE = 0x0a;
const STOP = 0x2e;
const MARK = Symbol('mark');
type StackEntry = PickleValue | typeof MARK;

const refused = (reason: string): Error => invalidTensor(`has a description that is not read: ${reason}`);

class Unpickler {
  readonly stack: StackEntry[] = [];
  readonly memo = new Map<number, PickleValue>();
  private offset = 0;

  constructor(
    private readonly bytes: Buffer,
    readonly handlers: PickleHandlers,
  ) {}

  run(): PickleValue {
    for (;;) {
      const code = this.byte();
      if (code === STOP) break;
      const operation = OPERATIONS[code];
      if (operation === undefined) throw refused('it is not that of a plain dense tensor');
      operation(this);
      if (this.stack.length > MAX_STACK || this.memo.size > MAX_MEMO) throw refused('it is too deep');
    }
    const value = this.pop();
    if (this.stack.length > 0 || this.offset !== this.bytes.length)
      throw refused('it is more than one value');
    return value;
  }

  take(count: number): Buffer {
    const end = this.offset + count;
    if (end > this.bytes.length) throw refused('it is cut off');
    const taken = this.bytes.subarray(this.offset, end);
    this.offset = end;
    return taken;
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  text(numBytes: number): string {
    if (numBytes > MAX_TEXT_BYTES) throw refused('a text is too long');
    return this.take(numBytes).toString('utf8');
  }

  line(): string {
    const end = this.bytes.indexOf(NEWLINE, this.offset);
    if (end < 0) throw refused('it is cut off');
    const line = this.text(end - this.offset);
    this.offset = end + 1;
    return line;
  }

  /** Two's complement, little-endian, at most 8 bytes and exact. */
  long(numBytes: number): number {
    if (numBytes > 8) throw refused('a number is too large');
    if (numBytes === 0) return 0;
    const bytes = this.take(numBytes);
    let value = 0n;
    for (let i = numBytes - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
    const number = Number(BigInt.asIntN(numBytes * 8, value));
    if (!Number.isSafeInteger(number)) throw refused('a number is too large');
    return number;
  }

  top(): PickleValue {
    const value = this.stack.at(-1);
    if (value === undefined || value === MARK) throw refused('its stack is empty');
    return value;
  }

  pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  popMany(count: number): PickleValue[] {
    return Array.from({ length: count }, () => this.pop()).reverse();
  }

  popToMark(): PickleValue[] {
    const mark = this.stack.lastIndexOf(MARK);
    if (mark < 0) throw refused('its stack is empty');
    const values = this.stack.splice(mark + 1) as PickleValue[];
    this.stack.pop();
    return values;
  }

  recall(index: number): PickleValue {
    const value = this.memo.get(index);
    if (value === undefined) throw refused('it refers to nothing');
    return value;
  }
}

function checkProtocol(version: number): void {
  if (version < 2 || version > 5) throw refused('its version is unknown');
}

function readStackGlobal(machine: Unpickler): PickleGlobal {
  const [module, name] = machine.popMany(2);
  if (typeof module !== 'string' || typeof name !== 'string') throw refused('a name is no text');
  return new PickleGlobal(`${module}.${name}`);
}

function reduce({ handlers }: Unpickler, [callee, args]: PickleValue[]): PickleValue {
  if (!(callee instanceof PickleGlobal) || !Array.isArray(args)) throw refused('it calls no name');
  return handlers.call(callee.path, args as PickleValue[]);
}

/** All opcodes that are known, besides STOP. */
const OPERATIONS: Readonly<Record<number, (machine: Unpickler) => unknown>> = {
  0x80: (m) => checkProtocol(m.byte()), // PROTO
  0x95: (m) => m.take(8), // FRAME
  0x28: (m) => m.stack.push(MARK), // MARK
  0x29: (m) => m.stack.push([]), // EMPTY_TUPLE
  0x7d: (m) => m.stack.push(new Map()), // EMPTY_DICT
  0x4e: (m) => m.stack.push(null), // NONE
  0x88: (m) => m.stack.push(true), // NEWTRUE
  0x89: (m) => m.stack.push(false), // NEWFALSE
  0x4a: (m) => m.stack.push(m.take(4).readInt32LE(0)), // BININT
  0x4b: (m) => m.stack.push(m.byte()), // BININT1
  0x4d: (m) => m.stack.push(m.take(2).readUInt16LE(0)), // BININT2
  0x8a: (m) => m.stack.push(m.long(m.byte())), // LONG1
  0x58: (m) => m.stack.push(m.text(m.take(4).readUInt32LE(0))), // BINUNICODE
  0x8c: (m) => m.stack.push(m.text(m.byte())), // SHORT_BINUNICODE
  0x74: (m) => m.stack.push(m.popToMark()), // TUPLE
  0x85: (m) => m.stack.push(m.popMany(1)), // TUPLE1
  0x86: (m) => m.stack.push(m.popMany(2)), // TUPLE2
  0x87: (m) => m.stack.push(m.popMany(3)), // TUPLE3
  0x63: (m) => m.stack.push(new PickleGlobal(`${m.line()}.${m.line()}`)), // GLOBAL
  0x93: (m) => m.stack.push(readStackGlobal(m)), // STACK_GLOBAL
  0x52: (m) => m.stack.push(reduce(m, m.popMany(2))), // REDUCE
  0x51: (m) => m.stack.push(m.handlers.load(m.pop())), // BINPERSID
  0x71: (m) => m.memo.set(m.byte(), m.top()), // BINPUT
  0x72: (m) => m.memo.set(m.take(4).readUInt32LE(0), m.top()), // LONG_BINPUT
  0x94: (m) => m.memo.set(m.memo.size, m.top()), // MEMOIZE
  0x68: (m) => m.stack.push(m.recall(m.byte())), // BINGET
  0x6a: (m) => m.stack.push(m.recall(m.take(4).readUInt32LE(0))), // LONG_BINGET
};

/**
 * The value of a pickle that needs only numbers, texts, tuples and `handlers`: a small part of the format, of bounded size.
 * Nothing is imported or executed. Throws `invalid_embedding`.
 */
export function unpickle(bytes: Uint8Array, handlers: PickleHandlers): PickleValue {
  if (bytes.length > MAX_PICKLE_BYTES) throw refused('it is too long');
  return new Unpickler(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), handlers).run();
}
