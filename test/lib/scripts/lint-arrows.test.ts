import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { REPOSITORY } from '../support/goldens.js';

const SCRIPT = join(REPOSITORY, 'scripts', 'lint-arrows.mjs');
let root: string;

/** Writes a source tree and lints it. */
function lint(files: Record<string, string>): { code: number | null; offenders: string[] } {
  for (const [file, text] of Object.entries({ 'native/core/a.h': '', 'lib/errors.ts': '', ...files })) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }
  const { status, stderr } = spawnSync(process.execPath, [SCRIPT, root], { encoding: 'utf8' });
  return { code: status, offenders: stderr.split('\n').filter((line) => line !== '') };
}

describe('lint-arrows', () => {
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'sensorium-arrows-'));
  });
  afterEach(() => {
    rmSync(root, { recursive: true, force: true });
  });

  it('accepts this repository', () => {
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8' });
    assert.equal(stderr, '');
    assert.equal(status, 0);
  });

  it('accepts arrows that point the right way', () => {
    const { code, offenders } = lint({
      'native/ops/norm.cpp':
        '#include "ops/norm.h"\n#include <vector>\n#include "backend/backend.h"\n#include "core/tensor.h"\n',
      'native/models/qwen2/qwen2.cpp': '#include "models/model.h"\n#include "weights/checkpoint.h"\n',
      'native/binding/addon.cpp': '#include <napi.h>\n#include "media/resize.h"\n',
      'lib/chat/parts.ts': "import { a } from '../errors.js';\nimport type { B } from '../media/types.js';\n",
      'lib/server/app.ts': "import type { LLM } from '../llm.js';\nimport express from 'express';\n",
    });
    assert.deepEqual(offenders, []);
    assert.equal(code, 0);
  });

  const OFFENDERS: [name: string, file: string, text: string, expected: string][] = [
    ['an include upwards', 'native/core/b.cpp', '\n#include "backend/backend.h"\n', 'native/core/b.cpp:2'],
    [
      'weights in ops',
      'native/ops/b.cpp',
      '#include "weights/checkpoint.h"\n',
      'ops may not include weights',
    ],
    [
      'a device behind its entrance',
      'native/ops/b.cpp',
      '#include "backend/cpu/rows.h"\n',
      'backend shows only',
    ],
    [
      'a family in the engine',
      'native/engine/b.cpp',
      '#include "models/qwen2/qwen2.h"\n',
      'models shows only',
    ],
    ['napi.h outside the binding', 'native/engine/b.h', '#include <napi.h>\n', 'only binding'],
    [
      'an include from the own folder',
      'native/core/b.cpp',
      '#include "tensor.h"\n',
      'not written from native/',
    ],
    ['a new room of native/', 'native/misc/b.cpp', '', "'misc' is no room"],
    [
      'an import upwards',
      'lib/media/a.ts',
      "import { b } from '../chat/b.js';\n",
      'media may not import chat',
    ],
    [
      'an import over lines',
      'lib/engine/a.ts',
      "\nimport {\n  b,\n} from '../llm.js';\n",
      'lib/engine/a.ts:2',
    ],
    [
      'a re-export',
      'lib/tokenizer/a.ts',
      "export * from '../engine/b.js';\n",
      'tokenizer may not import engine',
    ],
    [
      'an import for its effects',
      'lib/native/a.ts',
      "import '../engine/b.js';\n",
      'native may not import engine',
    ],
    [
      'a dynamic import',
      'lib/chat/a.ts',
      "const b = await import('../server/b.js');\n",
      'chat may not import server',
    ],
    ['a new room of lib/', 'lib/misc/a.ts', '', "'misc' is no room"],
  ];
  for (const [name, file, text, expected] of OFFENDERS) {
    it(`reports ${name}`, () => {
      const { code, offenders } = lint({ [file]: text });
      assert.equal(code, 1);
      assert.equal(offenders.length, 1);
      assert.ok(offenders[0]!.includes(expected), offenders[0]);
    });
  }
});
