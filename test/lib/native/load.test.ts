import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { SensoriumError } from '../../../lib/errors.js';
import { loadAddon } from '../../../lib/native/load.js';
import { REPOSITORY } from '../support/goldens.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sensorium-load-'));
  writeFileSync(join(root, 'package.json'), JSON.stringify({ name: 'sensorium', version: '999.0.0' }));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const failure = (): SensoriumError => {
  try {
    loadAddon(root);
  } catch (error) {
    assert.ok(error instanceof SensoriumError);
    assert.equal(error.code, 'addon_missing');
    assert.match(error.message, /npm rebuild sensorium/);
    return error;
  }
  return assert.fail('the addon was loaded');
};

test('the addon loads once and tells its version and machine', () => {
  const addon = loadAddon();
  const manifest = createRequire(import.meta.url)(join(REPOSITORY, 'package.json')) as { version: string };
  assert.equal(loadAddon().cpuInfo, addon.cpuInfo);
  assert.equal(addon.version, manifest.version);
  const info = addon.cpuInfo();
  assert.equal(info.isas[0], 'generic');
  assert.ok(info.numPhysicalCores >= 1);
  assert.ok(info.features.every((feature) => typeof feature === 'string'));
  assert.ok(addon.supportedArchitectures().includes('Qwen2ForCausalLM'));
});

test('a missing addon is explained with the places that were searched', () => {
  const { message } = failure();
  assert.ok(message.includes(`${process.platform}-${process.arch}`));
  assert.ok(message.includes(root));
});

test('a damaged addon is explained with the reason of the loader', () => {
  mkdirSync(join(root, 'build', 'Release'), { recursive: true });
  const file = join(root, 'build', 'Release', 'sensorium.node');
  writeFileSync(file, 'not a shared library');
  const { message, cause } = failure();
  assert.ok(message.includes(file));
  assert.ok(cause instanceof Error && message.includes(cause.message));
});

test('an addon of another version is refused', () => {
  mkdirSync(join(root, 'build', 'Release'), { recursive: true });
  const built = (createRequire(import.meta.url)('node-gyp-build') as { resolve(root: string): string }).resolve(
    REPOSITORY,
  );
  copyFileSync(built, join(root, 'build', 'Release', 'sensorium.node'));
  assert.match(failure().message, /of version .*999\.0\.0/);
});
