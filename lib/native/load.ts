import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { SensoriumError } from '../errors.js';
import type { NativeAddon } from './addon.js';

interface NodeGypBuild {
  /** Path of the addon: build/Release, else the matching file of prebuilds/<platform>-<arch>. Throws when there is none. */
  resolve(root: string): string;
}

const PACKAGE_ROOT = fileURLToPath(new URL('../..', import.meta.url));
const HOW_TO_BUILD =
  "build it with 'npm rebuild sensorium' (in a checkout: 'npm run build:native'), which needs CMake 3.18 and a C++20 compiler";

const describeMachine = (): string =>
  `${process.platform}-${process.arch}, Node ${process.versions.node}`;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function findAddon(require: NodeJS.Require, root: string): string {
  try {
    return (require('node-gyp-build') as NodeGypBuild).resolve(root);
  } catch (cause) {
    const places = `${path.join(root, 'build', 'Release')} and ${path.join(root, 'prebuilds')}`;
    const message = `There is no native addon for ${describeMachine()} in ${places}; ${HOW_TO_BUILD}.`;
    throw new SensoriumError('addon_missing', message, { cause });
  }
}

function openAddon(require: NodeJS.Require, file: string): NativeAddon {
  try {
    return require(file) as NativeAddon;
  } catch (cause) {
    const message = `The native addon ${file} cannot be loaded on ${describeMachine()}: ${messageOf(cause)}; ${HOW_TO_BUILD}.`;
    throw new SensoriumError('addon_missing', message, { cause });
  }
}

function checkVersion(addon: NativeAddon, file: string, root: string): void {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  if (addon.version === version) return;
  const message = `The native addon ${file} is of version ${addon.version}, the package of version ${version}; ${HOW_TO_BUILD}.`;
  throw new SensoriumError('addon_missing', message);
}

/**
 * The native addon of this environment (main thread or worker): loaded once, then the same.
 * Throws `addon_missing` with what was looked for, why it failed and how to build it.
 */
export function loadAddon(root: string = PACKAGE_ROOT): NativeAddon {
  const require = createRequire(import.meta.url);
  const file = findAddon(require, root);
  const addon = openAddon(require, file);
  checkVersion(addon, file, root);
  return addon;
}
