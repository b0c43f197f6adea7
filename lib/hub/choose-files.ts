import { SensoriumError } from '../errors.js';
import type { RemoteFile } from './types.js';

const INDEX = 'model.safetensors.index.json';
const SINGLE = 'model.safetensors';
/** Files beside the weights: configuration, templates and tokenizers, at the top of the repository. */
const SMALL_FILE = /^(?:[^/]+\.(?:json|jinja)|(?:merges|vocab)\.txt|tokenizer\.model|[^/]+\.tiktoken)$/;
const NAMED_TEMPLATE = /^additional_chat_templates\/[^/]+\.jinja$/;
const MAX_SMALL_FILE_BYTES = 256 * 2 ** 20;
const MAX_FILES = 4096;

const isSafePath = (path: string): boolean =>
  !path.includes('\\') &&
  !path.includes('\0') &&
  path.split('/').every((part) => part !== '' && !/^\.+$/.test(part));

/** The small files to fetch first: they say which weights there are. Throws `invalid_checkpoint`. */
export function chooseSmallFiles(files: readonly RemoteFile[], repository: string): RemoteFile[] {
  const chosen = files.filter(
    ({ path }) => isSafePath(path) && (SMALL_FILE.test(path) || NAMED_TEMPLATE.test(path)),
  );
  if (!chosen.some(({ path }) => path === 'config.json')) {
    throw new SensoriumError('invalid_checkpoint', `The repository '${repository}' has no config.json.`, {
      param: 'model',
    });
  }
  const tooLarge = chosen.find(({ sizeBytes }) => sizeBytes > MAX_SMALL_FILE_BYTES);
  if (tooLarge === undefined && chosen.length <= MAX_FILES) return chosen;
  const what =
    tooLarge === undefined ? 'too many files' : `a ${tooLarge.path} of ${tooLarge.sizeBytes} bytes`;
  throw new SensoriumError('invalid_checkpoint', `The repository '${repository}' has ${what}.`, {
    param: 'model',
  });
}

/** Names of the shards that an index file lists. Throws `invalid_checkpoint`. */
export function shardNames(indexText: string): string[] {
  let index: unknown;
  try {
    index = JSON.parse(indexText);
  } catch (error) {
    throw new SensoriumError('invalid_checkpoint', `${INDEX} is not valid JSON.`, { cause: error });
  }
  const map: unknown = (index as { weight_map?: unknown } | null)?.weight_map;
  if (typeof map !== 'object' || map === null)
    throw new SensoriumError('invalid_checkpoint', `${INDEX} has no weight_map.`);
  const names = new Set(Object.values(map as Record<string, unknown>));
  for (const name of names) {
    if (typeof name === 'string' && isSafePath(name) && name.endsWith('.safetensors')) continue;
    throw new SensoriumError(
      'invalid_checkpoint',
      `${INDEX} names '${String(name).slice(0, 100)}', which is no shard.`,
    );
  }
  return [...names] as string[];
}

/** The weights: the shards of the index, or the single file. Throws `invalid_checkpoint` where there are none. */
export function chooseWeights(
  files: readonly RemoteFile[],
  indexText: string | undefined,
  repository: string,
): RemoteFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const names = indexText === undefined ? [SINGLE] : shardNames(indexText);
  return names.map((name) => {
    const file = byPath.get(name);
    if (file !== undefined) return file;
    const reason =
      indexText === undefined
        ? 'has no weights in safetensors; weights in other formats are not read'
        : `lists the shard ${name} in its index and does not have it`;
    throw new SensoriumError('invalid_checkpoint', `The repository '${repository}' ${reason}.`, {
      param: 'model',
    });
  });
}

/** Path of the file that lists shards. */
export const INDEX_PATH = INDEX;
