import { invalidTensor } from './failure.js';

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const MAX_COMMENT_BYTES = 65_535;
const END64_SIGNATURE = 0x06064b50;
const END64_BYTES = 56;
const LOCATOR64_SIGNATURE = 0x07064b50;
const LOCATOR64_BYTES = 20;
const ENTRY_SIGNATURE = 0x02014b50;
const ENTRY_BYTES = 46;
const LOCAL_SIGNATURE = 0x04034b50;
const LOCAL_BYTES = 30;
const EXTRA64_ID = 1;
const MAX_ENTRIES = 1024;
const STORED = 0;
const ENCRYPTED_FLAG = 1;
const FULL_16 = 0xffff;
const FULL_32 = 0xffff_ffff;

const damaged = (reason: string): Error => invalidTensor(`is in a damaged archive: ${reason}`);

interface Directory {
  numEntries: number;
  start: number;
  numBytes: number;
  /** First byte after which no entry may lie. */
  end: number;
}

interface Entry {
  name: string;
  numBytes: number;
  localOffset: number;
}

/** Bounds-checked little-endian reading. */
class Reader {
  constructor(readonly file: Buffer) {}

  /** Throws unless `count` bytes lie at `offset`. */
  require(offset: number, count: number): void {
    if (!Number.isSafeInteger(offset) || offset < 0 || offset + count > this.file.length) {
      throw damaged('it points beyond its end');
    }
  }
  u16(offset: number): number {
    this.require(offset, 2);
    return this.file.readUInt16LE(offset);
  }
  u32(offset: number): number {
    this.require(offset, 4);
    return this.file.readUInt32LE(offset);
  }
  u64(offset: number): number {
    this.require(offset, 8);
    const value = Number(this.file.readBigUInt64LE(offset));
    if (!Number.isSafeInteger(value)) throw damaged('a size is too large');
    return value;
  }
}

/** The end record: the last one whose comment ends with the file. */
function findEnd({ file }: Reader): number {
  const least = Math.max(0, file.length - END_BYTES - MAX_COMMENT_BYTES);
  for (let offset = file.length - END_BYTES; offset >= least; offset--) {
    if (file.readUInt32LE(offset) !== END_SIGNATURE) continue;
    if (offset + END_BYTES + file.readUInt16LE(offset + 20) === file.length) return offset;
  }
  throw damaged('it has no end');
}

function readDirectory(reader: Reader): Directory {
  const end = findEnd(reader);
  const isOneDisk = reader.u16(end + 4) === 0 && reader.u16(end + 6) === 0;
  const directory = {
    numEntries: reader.u16(end + 10),
    numBytes: reader.u32(end + 12),
    start: reader.u32(end + 16),
    end,
  };
  if (!isOneDisk) throw damaged('it has several parts');
  const { numEntries, numBytes, start } = directory;
  const is64 = numEntries === FULL_16 || numBytes === FULL_32 || start === FULL_32;
  return is64 ? readDirectory64(reader, end) : directory;
}

function readDirectory64(reader: Reader, end: number): Directory {
  const locator = end - LOCATOR64_BYTES;
  if (locator < 0 || reader.u32(locator) !== LOCATOR64_SIGNATURE) throw damaged('it has no end');
  const record = reader.u64(locator + 8);
  reader.require(record, END64_BYTES);
  if (record >= locator || reader.u32(record) !== END64_SIGNATURE) throw damaged('it has no end');
  return {
    numEntries: reader.u64(record + 32),
    numBytes: reader.u64(record + 40),
    start: reader.u64(record + 48),
    end: record,
  };
}

/** The 64-bit values of an entry whose 32-bit ones are full, in the order of the format. */
function readExtra64(reader: Reader, start: number, numBytes: number): number[] {
  const end = start + numBytes;
  for (let offset = start; offset + 4 <= end; offset += 4 + reader.u16(offset + 2)) {
    if (reader.u16(offset) !== EXTRA64_ID) continue;
    const count = Math.floor(Math.min(reader.u16(offset + 2), end - offset - 4) / 8);
    return Array.from({ length: Math.min(count, 3) }, (_, i) => reader.u64(offset + 4 + i * 8));
  }
  return [];
}

function readEntry(reader: Reader, offset: number): { entry: Entry; next: number } {
  reader.require(offset, ENTRY_BYTES);
  if (reader.u32(offset) !== ENTRY_SIGNATURE) throw damaged('an entry is missing');
  if (reader.u16(offset + 10) !== STORED || (reader.u16(offset + 8) & ENCRYPTED_FLAG) !== 0) {
    throw invalidTensor('is in an archive with compressed or encrypted records; only stored ones are read');
  }
  const nameBytes = reader.u16(offset + 28);
  const extraBytes = reader.u16(offset + 30);
  const nameStart = offset + ENTRY_BYTES;
  reader.require(nameStart, nameBytes + extraBytes);
  const wide = readExtra64(reader, nameStart + nameBytes, extraBytes);
  const widen = (value: number): number => (value === FULL_32 ? (wide.shift() ?? value) : value);
  const numBytes = widen(reader.u32(offset + 24));
  const numStoredBytes = widen(reader.u32(offset + 20));
  const localOffset = widen(reader.u32(offset + 42));
  if (numBytes !== numStoredBytes) throw damaged('a record has two sizes');
  const name = reader.file.toString('utf8', nameStart, nameStart + nameBytes);
  return {
    entry: { name, numBytes, localOffset },
    next: nameStart + nameBytes + extraBytes + reader.u16(offset + 32),
  };
}

/** Where an entry's bytes are: after its local header, whose name must be the entry's. */
function readRecord(reader: Reader, { name, numBytes, localOffset }: Entry, limit: number): Uint8Array {
  reader.require(localOffset, LOCAL_BYTES);
  if (reader.u32(localOffset) !== LOCAL_SIGNATURE) throw damaged('a record is missing');
  const nameStart = localOffset + LOCAL_BYTES;
  const nameBytes = reader.u16(localOffset + 26);
  reader.require(nameStart, nameBytes);
  const start = nameStart + nameBytes + reader.u16(localOffset + 28);
  const isStored = reader.u16(localOffset + 8) === STORED;
  if (!isStored || reader.file.toString('utf8', nameStart, nameStart + nameBytes) !== name) {
    throw damaged('a record and its entry differ');
  }
  if (start + numBytes > limit) throw damaged('it points beyond its end');
  return reader.file.subarray(start, start + numBytes);
}

/**
 * The records of a zip archive by name: stored, unencrypted, one disk, each name once; nothing is inflated or copied.
 * Throws `invalid_embedding`.
 */
export function readStoredZip(bytes: Uint8Array): Map<string, Uint8Array> {
  const reader = new Reader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const { numEntries, start, numBytes, end } = readDirectory(reader);
  if (numEntries > MAX_ENTRIES) throw damaged(`it has more than ${MAX_ENTRIES} records`);
  if (start + numBytes > end) throw damaged('it points beyond its end');
  const records = new Map<string, Uint8Array>();
  let offset = start;
  for (let i = 0; i < numEntries; i++) {
    const { entry, next } = readEntry(reader, offset);
    if (next > start + numBytes) throw damaged('it points beyond its end');
    if (records.has(entry.name)) throw damaged('two records have one name');
    records.set(entry.name, readRecord(reader, entry, start));
    offset = next;
  }
  return records;
}
