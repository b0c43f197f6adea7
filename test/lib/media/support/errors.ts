import assert from 'node:assert/strict';
import { SensoriumError, type ErrorCode } from '../../../../lib/errors.js';

/** Waits for a rejection of class `code`; its text must give nothing of the machine away. */
export async function rejectsWith(work: Promise<unknown>, code: ErrorCode): Promise<SensoriumError> {
  const error: unknown = await work.then(
    () => assert.fail(`expected ${code}, but it resolved`),
    (reason: unknown) => reason,
  );
  return checkError(error, code);
}

export function throwsWith(work: () => unknown, code: ErrorCode): SensoriumError {
  try {
    work();
  } catch (error) {
    return checkError(error, code);
  }
  return assert.fail(`expected ${code}, but it returned`);
}

function checkError(error: unknown, code: ErrorCode): SensoriumError {
  assert.ok(error instanceof SensoriumError, `not a SensoriumError: ${String(error)}`);
  assert.equal(error.code, code, error.message);
  assert.doesNotMatch(
    error.message,
    /0x[0-9a-f]{6,}|\/tmp\/|\/work\/|127\.0\.0\.1|vips|libpng|node_modules|ENOENT|secret/i,
  );
  return error;
}
