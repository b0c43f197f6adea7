import { SensoriumError } from '../errors.js';

type TypeName = 'string' | 'number' | 'boolean' | 'object' | 'function' | 'list' | 'texts';

const EXPECTED: Record<TypeName, string> = {
  string: 'a text',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  function: 'a function',
  list: 'a list',
  texts: 'a text or a list of texts',
};

const toCamel = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The same error, its `param` called as in process: `mmProcessorKwargs.fps` rather than `mm_processor_kwargs.fps`. */
export function withCamelParam(error: unknown): unknown {
  // An option that does not exist is called as it was given.
  if (!(error instanceof SensoriumError) || error.param === null || error.code === 'invalid_option')
    return error;
  const param = error.param.replace(/^[a-z_]+/, toCamel);
  return param === error.param ? error : error.renamingParam(error.param, param);
}

/** Throws `invalid_option` unless `options` is an object of known names: a misspelled one would be lost silently. */
export function checkOptionNames(
  options: unknown,
  known: ReadonlySet<string>,
): asserts options is Record<string, unknown> {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new SensoriumError('invalid_option', 'The options must be an object.', { param: 'options' });
  }
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue;
    const camel = toCamel(name);
    const hint = known.has(camel) ? `; it is called '${camel}' here` : '';
    throw new SensoriumError('invalid_option', `There is no option '${name}'${hint}.`, { param: name });
  }
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

function hasType(value: unknown, type: TypeName): boolean {
  if (type === 'list') return Array.isArray(value);
  if (type === 'texts') return hasType(value, 'string') || (Array.isArray(value) && value.every(isText));
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return type === 'string' ? typeof value === 'string' && value !== '' : typeof value === type;
}

/** Throws `invalid_option` for names that `types` does not know and for values of another type. Undefined is absent. */
export function checkOptionTypes(options: unknown, types: Readonly<Record<string, TypeName>>): void {
  checkOptionNames(options, new Set(Object.keys(types)));
  for (const [name, value] of Object.entries(options)) {
    const type = types[name] as TypeName;
    if (value === undefined || hasType(value, type)) continue;
    const found = value === '' ? 'empty' : Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
    const message = `The option ${name} must be ${EXPECTED[type]}, not ${found}.`;
    throw new SensoriumError('invalid_option', message, { param: name });
  }
}
