import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const MEBIBYTE = 2 ** 20;

interface Packed {
  filename: string;
  size: number;
  files: { path: string }[];
}

/** Folders of a PATH on which there is Node, and no compiler. */
async function pathWithoutCompilers(folder: string): Promise<string> {
  const bin = path.join(folder, 'bin');
  await mkdir(bin);
  for (const name of ['node', 'npm', 'sh', 'env', 'ffmpeg', 'ffprobe']) {
    const { stdout } = await run('sh', ['-c', `command -v ${name} || true`]);
    if (stdout.trim() !== '') await symlink(stdout.trim(), path.join(bin, name));
  }
  return bin;
}

suite('the packed tarball', () => {
  let folder: string;
  let packed: Packed;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'sensorium-package-'));
    const { stdout } = await run(
      'npm',
      ['pack', '--json', '--ignore-scripts', '--pack-destination', folder],
      { cwd: ROOT },
    );
    [packed] = JSON.parse(stdout) as [Packed];
  });
  after(() => rm(folder, { recursive: true }));

  test('holds what it needs to run and to be built, and nothing else', () => {
    const files = packed.files.map((file) => file.path);
    for (const needed of [
      'package.json',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'CMakeLists.txt',
      'binding.gyp',
      'dist/index.js',
      'dist/index.d.ts',
      'dist/cli/main.js',
      'dist/server/index.js',
      'native/binding/addon.cpp',
      'scripts/install.mjs',
      'models/demo/model.safetensors',
      'models/demo/README.md',
      'models/demo/samples/expected.json',
    ]) {
      assert.ok(files.includes(needed), needed);
    }
    const allowed =
      /^(dist|docs|native|models\/demo|prebuilds|scripts|templates)\/|^[\w.-]+$|^models\/README\.md$/;
    for (const file of files) {
      assert.match(file, allowed);
      assert.doesNotMatch(file, /train\/|\.tsbuildinfo$|\.test\.|goldens|\.map$|node_modules/);
    }
    assert.ok(packed.size < 32 * MEBIBYTE);
  });

  test('installs in an empty folder without a compiler when a prebuild fits, and answers', async () => {
    const extracted = path.join(folder, 'package');
    await run('tar', ['-xf', path.join(folder, packed.filename), '-C', folder]);
    const addon = (
      createRequire(import.meta.url)('node-gyp-build') as { resolve(root: string): string }
    ).resolve(ROOT);
    const prebuilds = path.join(extracted, 'prebuilds', `${process.platform}-${process.arch}`);
    await mkdir(prebuilds, { recursive: true });
    await cp(addon, path.join(prebuilds, 'sensorium.node'));
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: extracted });

    const app = path.join(folder, 'app');
    await mkdir(app);
    await writeFile(path.join(app, 'package.json'), '{ "private": true, "type": "module" }');
    const env = { ...process.env, PATH: await pathWithoutCompilers(folder) };
    const tarball = path.join(folder, packed.filename);
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], { cwd: app, env });
    await writeFile(
      path.join(app, 'main.js'),
      `import { LLM } from 'sensorium';
       import { createApp } from 'sensorium/server';
       const llm = await LLM.load();
       const image = 'node_modules/sensorium/models/demo/samples/text-1.png';
       const content = [{ type: 'image', image }, { type: 'text', text: 'What does it say?' }];
       const { outputs } = await llm.chat([{ role: 'user', content }], { temperature: 0 });
       console.log(outputs[0].text, typeof createApp(llm));
       await llm.close();`,
    );
    const { stdout } = await run('node', ['main.js'], { cwd: app, env });
    assert.equal(stdout.trim(), 'the text says "TWVFX". function');
    const cli = await run('npx', ['sensorium', '--version'], { cwd: app, env: process.env });
    const { version } = JSON.parse(await readFile(path.join(ROOT, 'package.json'), 'utf8')) as {
      version: string;
    };
    assert.equal(cli.stdout.trim(), version);
  });
});
