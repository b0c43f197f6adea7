#!/usr/bin/env node
import { CommanderError } from 'commander';
import { SensoriumError } from '../errors.js';
import { scrub } from '../server/log.js';
import { normaliseArguments } from './arguments.js';
import { createProgram } from './program.js';

/** 2 for what the caller wrote wrongly, 1 for what failed. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof SensoriumError && error.code === 'invalid_option' ? 2 : 1;
}

function explain(error: unknown): string {
  if (error instanceof SensoriumError) return `${error.message} [${error.code}]`;
  // What the system refused, such as a port in use, needs no stack.
  if (error instanceof Error && 'syscall' in error) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

// A reader such as `head` that leaves early is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));

try {
  await createProgram().parseAsync(normaliseArguments(process.argv.slice(2)), { from: 'user' });
} catch (error) {
  // Commander has already written its own message.
  if (!(error instanceof CommanderError)) process.stderr.write(`sensorium: ${scrub(explain(error))}\n`);
  process.exitCode = exitCodeOf(error);
}
