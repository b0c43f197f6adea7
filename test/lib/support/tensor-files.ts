/** Writes tensors as other programs do: torch.save, numpy.save, safetensors. */

export type FileType = 'float64' | 'float32' | 'float16' | 'bfloat16' | 'int64' | 'int32';

export interface FileTensor {
  values: ArrayLike<number>;
  shape: number[];
  type?: FileType;
}

const STORAGES: Record<FileType, string> = {
  float64: 'DoubleStorage',
  float32: 'FloatStorage',
  float16: 'HalfStorage',
  bfloat16: 'BFloat16Storage',
  int64: 'LongStorage',
  int32: 'IntStorage',
};
const NUMPY_TYPES: Partial<Record<FileType, string>> = {
  float64: 'f8',
  float32: 'f4',
  float16: 'f2',
  int64: 'i8',
  int32: 'i4',
};
const SAFETENSORS_TYPES: Record<FileType, string> = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
};

const product = (shape: readonly number[]): number => shape.reduce((total, size) => total * size, 1);

/** Half-precision bits of a number below 65520, rounded. */
function halfBits(value: number): number {
  const size = Math.abs(value);
  const sign = Object.is(value, -0) || value < 0 ? 0x8000 : 0;
  if (size < 2 ** -14) return sign + Math.round(size * 2 ** 24);
  const exponent = Math.floor(Math.log2(size));
  return sign + ((exponent + 15) << 10) + Math.round((size / 2 ** exponent - 1) * 1024);
}

function bfloatBits(value: number): number {
  return new Uint32Array(Float32Array.of(value).buffer)[0]! >>> 16;
}

/** The numbers as they lie in a file, little-endian unless told otherwise. */
export function packValues(values: ArrayLike<number>, type: FileType, isLittle = true): Buffer {
  const list = Array.from(values);
  const size = { float64: 8, float32: 4, float16: 2, bfloat16: 2, int64: 8, int32: 4 }[type];
  const bytes = Buffer.alloc(list.length * size);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const write: Record<FileType, (offset: number, value: number) => void> = {
    float64: (offset, value) => view.setFloat64(offset, value, isLittle),
    float32: (offset, value) => view.setFloat32(offset, value, isLittle),
    float16: (offset, value) => view.setUint16(offset, halfBits(value), isLittle),
    bfloat16: (offset, value) => view.setUint16(offset, bfloatBits(value), isLittle),
    int64: (offset, value) => view.setBigInt64(offset, BigInt(value), isLittle),
    int32: (offset, value) => view.setInt32(offset, value, isLittle),
  };
  for (const [i, value] of list.entries()) write[type](i * size, value);
  return bytes;
}

/** A zip archive of stored records, sizes in data descriptors as torch writes them. */
export function writeZip(records: [name: string, content: Buffer][], method = 0): Buffer {
  const locals: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of records) {
    const local = Buffer.alloc(30 + name.length);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(name.length, 26);
    local.write(name, 30);
    const entry = Buffer.alloc(46 + name.length);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(method, 10);
    entry.writeUInt32LE(content.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt32LE(offset, 42);
    entry.write(name, 46);
    locals.push(local, content);
    entries.push(entry);
    offset += local.length + content.length;
  }
  const end = Buffer.alloc(22);
  const numBytes = entries.reduce((sum, entry) => sum + entry.length, 0);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(records.length, 8);
  end.writeUInt16LE(records.length, 10);
  end.writeUInt32LE(numBytes, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, ...entries, end]);
}

const pickleText = (text: string): Buffer => {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([Buffer.from('X'), length, bytes]);
};
const pickleInt = (value: number): Buffer => {
  const bytes = Buffer.alloc(5, 'J');
  bytes.writeInt32LE(value, 1);
  return bytes;
};
const pickleTuple = (values: number[]): Buffer =>
  Buffer.concat([Buffer.from('('), ...values.map(pickleInt), Buffer.from('t')]);
const raw = (text: string): Buffer => Buffer.from(text, 'latin1');

/** data.pkl of a dense tensor, protocol 2. */
export function pickleTensor(
  storage: string,
  numel: number,
  offset: number,
  shape: number[],
  strides: number[],
): Buffer {
  return Buffer.concat([
    raw('\x80\x02ctorch._utils\n_rebuild_tensor_v2\nq\x00(('),
    pickleText('storage'),
    raw(`ctorch\n${storage}\n`),
    pickleText('0'),
    pickleText('cpu'),
    pickleInt(numel),
    raw('tQ'),
    pickleInt(offset),
    pickleTuple(shape),
    pickleTuple(strides),
    raw('\x89ccollections\nOrderedDict\n)RtR.'),
  ]);
}

function rowMajor(shape: number[]): number[] {
  return shape.map((_, axis) => product(shape.slice(axis + 1)));
}

/** What `torch.save(tensor, file)` writes. */
export function writeTorchSave({ values, shape, type = 'float32' }: FileTensor): Buffer {
  return writeZip([
    ['archive/data.pkl', pickleTensor(STORAGES[type], values.length, 0, shape, rowMajor(shape))],
    ['archive/byteorder', raw('little')],
    ['archive/data/0', packValues(values, type)],
    ['archive/version', raw('3\n')],
  ]);
}

/** What `numpy.save(file, array)` writes. */
export function writeNpy(
  { values, shape, type = 'float32' }: FileTensor,
  isLittle = true,
  isFortran = false,
): Buffer {
  const descr = `${isLittle ? '<' : '>'}${NUMPY_TYPES[type]}`;
  const sizes = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const order = isFortran ? 'True' : 'False';
  let header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${sizes}, }`;
  header = `${header.padEnd(117)}\n`;
  const start = Buffer.from('\x93NUMPY\x01\x00\x00\x00', 'latin1');
  start.writeUInt16LE(header.length, 8);
  return Buffer.concat([start, Buffer.from(header), packValues(values, type, isLittle)]);
}

/** A safetensors file of named tensors. */
export function writeSafetensors(tensors: Record<string, FileTensor>): Buffer {
  const header: [string, object][] = [['__metadata__', { format: 'pt' }]];
  const blocks: Buffer[] = [];
  let offset = 0;
  for (const [name, { values, shape, type = 'float32' }] of Object.entries(tensors)) {
    const block = packValues(values, type);
    const data_offsets = [offset, offset + block.length];
    header.push([name, { dtype: SAFETENSORS_TYPES[type], shape, data_offsets }]);
    blocks.push(block);
    offset += block.length;
  }
  const text = Buffer.from(JSON.stringify(Object.fromEntries(header)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, ...blocks]);
}
