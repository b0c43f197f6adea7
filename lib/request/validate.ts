import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import { SensoriumError } from '../errors.js';

// strictNumbers refuses Infinity, which JSON.parse makes of 1e999; coercion stays off.
const ajv = new Ajv({
  allErrors: false,
  coerceTypes: false,
  strictNumbers: true,
  verbose: true,
  allowUnionTypes: true,
});

export type JsonObject = Record<string, unknown>;
/** By field: whether a value asks for something this server does not do. */
export type UnsupportedRules = Record<string, (value: unknown) => boolean>;
type Schema = Record<string, unknown>;
type Bounds = Partial<Record<'minimum' | 'exclusiveMinimum' | 'maximum', number>>;

/** `['messages', '0', 'role']` as `messages[0].role`. */
function pathOf(error: ErrorObject): string {
  const steps = error.instancePath.split('/').slice(1);
  return steps
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce(
      (path, step) => (/^\d+$/.test(step) ? `${path}[${step}]` : path === '' ? step : `${path}.${step}`),
      '',
    );
}

const TYPE_NAMES: Record<string, string> = {
  integer: 'an integer',
  number: 'a finite number',
  string: 'a string',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
};

function describeTypes(type: unknown): string {
  const names = (Array.isArray(type) ? type : String(type).split(',')) as string[];
  return names.map((name) => TYPE_NAMES[name] ?? name).join(' or ');
}

/** The bounds of a number in words: `between 0 and 2`, `at least 1`. */
function describeRange({ minimum, exclusiveMinimum, maximum: high }: Bounds): string {
  const low = minimum ?? exclusiveMinimum;
  const lowWord = exclusiveMinimum === undefined ? 'at least' : 'greater than';
  if (low === undefined) return `at most ${high}`;
  if (high === undefined) return `${lowWord} ${low}`;
  return lowWord === 'at least' ? `between ${low} and ${high}` : `greater than ${low} and at most ${high}`;
}

function describeValue(error: ErrorObject): string {
  const schema = (error.parentSchema ?? {}) as Schema;
  switch (error.keyword) {
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
      return `must be ${describeRange(schema)}`;
    case 'enum':
      return `must be one of ${(schema['enum'] as unknown[]).map((value) => `'${String(value)}'`).join(', ')}`;
    case 'minLength':
      return 'must not be empty';
    case 'maxLength':
      return `must have at most ${schema['maxLength']} characters`;
    case 'minItems':
      return 'must not be an empty list';
    case 'maxItems':
      return `must have at most ${schema['maxItems']} entries`;
    case 'maxProperties':
      return `must have at most ${schema['maxProperties']} entries`;
    case 'propertyNames':
    case 'pattern':
      return `has the key '${String(error.propertyName ?? error.data).slice(0, 40)}', which is not allowed`;
    default:
      return error.message ?? 'is not valid';
  }
}

function toError(error: ErrorObject): SensoriumError {
  const path = pathOf(error);
  if (error.keyword === 'required') {
    const name = String((error.params as { missingProperty: string }).missingProperty);
    const param = path === '' ? name : `${path}.${name}`;
    return new SensoriumError('missing_field', `'${param}' is required.`, { param });
  }
  const param = path === '' ? undefined : path;
  const subject = param === undefined ? 'The request body' : `'${param}'`;
  if (error.keyword === 'type') {
    return new SensoriumError('invalid_type', `${subject} must be ${describeTypes(error.schema)}.`, {
      param,
    });
  }
  return new SensoriumError('invalid_value', `${subject} ${describeValue(error)}.`, { param });
}

/** The body without its null fields: clients send null for "not given". */
function withoutNulls(body: JsonObject): JsonObject {
  for (const field in body) {
    if (body[field] === null)
      return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  }
  return body;
}

/**
 * A checker of request bodies. It returns the body without its null fields, or throws `missing_field`, `invalid_type` or
 * `invalid_value` with the field's path. The schema must describe exactly `T`.
 */
export function bodyChecker<T>(
  properties: Record<string, Schema>,
  required: string[] = [],
): (body: unknown) => T {
  const check: ValidateFunction = ajv.compile({ type: 'object', properties, required });
  return (body) => {
    const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
    const candidate = isObject ? withoutNulls(body as JsonObject) : body;
    if (!check(candidate)) throw toError(check.errors![0]!);
    return candidate as T;
  };
}

/** Throws `not_supported` when a known field asks for something this server does not do. */
export function refuseUnsupported(body: JsonObject, rules: UnsupportedRules): void {
  // Bodies have a few fields, rules are many.
  for (const field in body) {
    const isUnsupported = Object.hasOwn(rules, field) ? rules[field] : undefined;
    const value = body[field];
    if (isUnsupported === undefined || value === undefined || value === null || !isUnsupported(value))
      continue;
    const message = `'${field}' with this value is not supported.`;
    throw new SensoriumError('not_supported', message, { param: field });
  }
}
