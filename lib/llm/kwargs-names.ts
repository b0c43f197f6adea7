import { toSnakeName } from '../chat/snake-name.js';
import { SensoriumError } from '../errors.js';
import type { MediaOptions } from '../media/types.js';
import type { LLMOptions } from './types.js';

type Kwargs = Record<string, unknown>;

const isPlainObject = (value: unknown): value is Kwargs =>
  typeof value === 'object' &&
  value !== null &&
  [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);

/** Options by the checkpoints' own names: `minPixels` becomes `min_pixels`, at every depth. Throws `invalid_option`. */
function snakeNames(kwargs: Kwargs, param: string): Kwargs {
  const result: Kwargs = {};
  for (const [name, value] of Object.entries(kwargs)) {
    const snake = toSnakeName(name);
    if (Object.hasOwn(result, snake)) {
      throw new SensoriumError('invalid_option', `${param} names ${snake} twice.`, { param });
    }
    result[snake] = isPlainObject(value) ? snakeNames(value, `${param}.${snake}`) : value;
  }
  return result;
}

function checkedNames(kwargs: unknown, param: string): Kwargs | undefined {
  if (kwargs === undefined || kwargs === null) return undefined;
  if (isPlainObject(kwargs)) return snakeNames(kwargs, param);
  throw new SensoriumError('invalid_option', `${param} must be an object.`, { param });
}

/** Media options of a program in process, in which names may be camelCase, as the processors and decoders know them. */
export function normaliseMediaOptions({ mediaIoKwargs, mmProcessorKwargs }: MediaOptions): MediaOptions {
  return {
    mediaIoKwargs: checkedNames(mediaIoKwargs, 'mediaIoKwargs'),
    mmProcessorKwargs: checkedNames(mmProcessorKwargs, 'mmProcessorKwargs'),
  };
}

/** `over` laid over `base`, the groups of each modality one by one. */
export function mergeMediaOptions(base: MediaOptions, over: MediaOptions): MediaOptions {
  const mediaIoKwargs = { ...base.mediaIoKwargs } as Record<string, Kwargs>;
  for (const [modality, kwargs] of Object.entries(over.mediaIoKwargs ?? {})) {
    mediaIoKwargs[modality] = { ...mediaIoKwargs[modality], ...kwargs };
  }
  const mmProcessorKwargs = { ...base.mmProcessorKwargs, ...over.mmProcessorKwargs };
  const orAbsent = <T extends object>(value: T): T | undefined =>
    Object.keys(value).length === 0 ? undefined : value;
  return { mediaIoKwargs: orAbsent(mediaIoKwargs), mmProcessorKwargs: orAbsent(mmProcessorKwargs) };
}

/** What a model is loaded with, laid under each request's media options. */
export function engineMediaOptions(options: LLMOptions): MediaOptions {
  const { rgbaBackgroundColor } = options;
  const own: MediaOptions =
    rgbaBackgroundColor === undefined
      ? {}
      : { mediaIoKwargs: { image: { rgba_background_color: rgbaBackgroundColor } } };
  return mergeMediaOptions(normaliseMediaOptions(options), own);
}
