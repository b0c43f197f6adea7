import { SensoriumError } from '../errors.js';

type JsonObject = Record<string, unknown>;

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

function refuse(param: string, expected: string): never {
  throw new SensoriumError('invalid_type', `${param} must be ${expected}.`, { param });
}

function checkArguments(value: unknown, param: string): void {
  if (!isGiven(value) || value === '' || isObject(value)) return;
  if (typeof value !== 'string') refuse(param, 'a JSON text or an object');
  try {
    JSON.parse(value);
  } catch (cause) {
    throw new SensoriumError('invalid_value', `${param} is not valid JSON.`, { param, cause });
  }
}

function checkToolCall(call: unknown, param: string): void {
  if (!isObject(call)) refuse(param, 'an object');
  if (isGiven(call.type) && call.type !== 'function') {
    throw new SensoriumError('invalid_value', `${param}.type must be 'function'.`, {
      param: `${param}.type`,
    });
  }
  if (!isObject(call.function)) refuse(`${param}.function`, 'an object');
  if (typeof call.function.name !== 'string') refuse(`${param}.function.name`, 'a string');
  checkArguments(call.function.arguments, `${param}.function.arguments`);
}

/** Checks what a message has beside its role and content. Throws `invalid_type`, `invalid_value`. */
export function checkMessageFields(fields: JsonObject, param: string): void {
  for (const name of ['name', 'tool_call_id', 'reasoning_content']) {
    if (isGiven(fields[name]) && typeof fields[name] !== 'string') refuse(`${param}.${name}`, 'a string');
  }
  const { tool_calls: calls } = fields;
  if (!isGiven(calls)) return;
  if (!Array.isArray(calls)) refuse(`${param}.tool_calls`, 'a list');
  calls.forEach((call: unknown, i) => checkToolCall(call, `${param}.tool_calls[${i}]`));
}
