import { BYTES_PER_ELEMENT, type DType } from './dtypes.js';
import { invalidTensor } from './failure.js';
import { PickleGlobal, unpickle, type PickleHandlers, type PickleValue } from './pickle.js';
import { createView, type TensorView } from './tensor-view.js';
import { readStoredZip } from './zip.js';

const STORAGE_TYPES: ReadonlyMap<string, DType> = new Map([
  ['torch.DoubleStorage', 'float64'],
  ['torch.FloatStorage', 'float32'],
  ['torch.HalfStorage', 'float16'],
  ['torch.BFloat16Storage', 'bfloat16'],
  ['torch.LongStorage', 'int64'],
  ['torch.IntStorage', 'int32'],
]);
const ZIP_MAGIC = 0x04034b50;

/** Numbers of one record of the archive. */
class Storage {
  constructor(
    readonly dtype: DType,
    readonly bytes: Uint8Array,
  ) {}
}

class Tensor {
  constructor(readonly view: TensorView) {}
}

const refused = (reason: string): Error => invalidTensor(`is no dense tensor of torch.save: ${reason}`);

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((entry) => typeof entry === 'number');
const isEmptyMap = (value: unknown): boolean => value instanceof Map && value.size === 0;

/** The records of the archive, without the folder that all of them lie in. */
function openArchive(bytes: Uint8Array): Map<string, Uint8Array> {
  const records = readStoredZip(bytes);
  const pickles = [...records.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [path, ...others] = pickles;
  if (path === undefined || others.length > 0) throw refused('the archive has no data.pkl, or several');
  const folder = path.slice(0, path.indexOf('/') + 1);
  const inside = new Map<string, Uint8Array>();
  for (const [name, record] of records) {
    if (!name.startsWith(folder)) throw refused('the archive has other folders');
    inside.set(name.slice(folder.length), record);
  }
  return inside;
}

function readByteOrder(records: Map<string, Uint8Array>): { isBigEndian: boolean } {
  const record = records.get('byteorder');
  if (record === undefined) return { isBigEndian: false };
  const order = Buffer.from(record.subarray(0, 8)).toString('latin1');
  if (order !== 'little' && order !== 'big') throw refused('its byte order is unknown');
  return { isBigEndian: order === 'big' };
}

/** ('storage', type, key, device, number of elements). */
function loadStorage(id: PickleValue, records: Map<string, Uint8Array>): Storage {
  if (!Array.isArray(id) || id.length !== 5) throw refused('it refers to something else than numbers');
  const [kind, type, key, , numElements] = id as PickleValue[];
  const dtype = type instanceof PickleGlobal ? STORAGE_TYPES.get(type.path) : undefined;
  if (kind !== 'storage' || dtype === undefined) {
    throw refused('its numbers are of a type that is not read (floats and 32 or 64 bit integers are)');
  }
  const bytes = typeof key === 'string' && /^\d{1,9}$/.test(key) ? records.get(`data/${key}`) : undefined;
  if (bytes === undefined) throw refused('the record of its numbers is missing');
  const hasSize = typeof numElements === 'number' && numElements * BYTES_PER_ELEMENT[dtype] === bytes.length;
  if (!hasSize) throw refused('the record of its numbers has another size');
  return new Storage(dtype, bytes);
}

/** torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, backward_hooks, metadata). */
function rebuildTensor(args: readonly PickleValue[], isBigEndian: boolean): Tensor {
  const [storage, offset, shape, strides, , hooks, metadata = null] = args;
  const isKnown =
    storage instanceof Storage && typeof offset === 'number' && (args.length === 6 || args.length === 7);
  if (!isKnown || !isNumbers(shape) || !isNumbers(strides)) throw refused('it is built of other things');
  if (!isEmptyMap(hooks) || (metadata !== null && !isEmptyMap(metadata))) throw refused('it has hooks');
  const { dtype, bytes } = storage;
  return new Tensor(createView({ dtype, shape, strides, offset, bytes, isBigEndian }));
}

function createHandlers(records: Map<string, Uint8Array>, isBigEndian: boolean): PickleHandlers {
  return {
    load: (id) => loadStorage(id, records),
    call(path, args) {
      if (path === 'collections.OrderedDict' && args.length === 0) return new Map();
      if (path === 'torch._utils._rebuild_tensor_v2') return rebuildTensor(args, isBigEndian);
      if (path === 'torch._utils._rebuild_parameter' && args[0] instanceof Tensor) return args[0];
      throw refused('it asks for something that is not allowed');
    },
  };
}

export function isTorchSave(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === ZIP_MAGIC;
}

/**
 * The tensor of a torch.save archive (torch >= 1.6): one dense tensor, any strides. Lists, dictionaries, sparse and quantised
 * tensors, compressed records and everything else that a pickle can hold are refused. Throws `invalid_embedding`.
 */
export function parseTorchSave(bytes: Uint8Array): TensorView {
  const records = openArchive(bytes);
  const { isBigEndian } = readByteOrder(records);
  const value = unpickle(records.get('data.pkl') as Uint8Array, createHandlers(records, isBigEndian));
  if (!(value instanceof Tensor)) throw refused('it holds something else');
  return value.view;
}
