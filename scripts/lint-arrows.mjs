// Checks the one-way arrows between rooms: #include in native/, import in lib/. Prints each offender and exits 1.
// node scripts/lint-arrows.mjs [ROOT]
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

/** Rooms of native/ that a room may include besides itself. */
const NATIVE_ARROWS = {
  core: [],
  media: ['core'],
  weights: ['core'],
  backend: ['core'],
  ops: ['backend', 'core'],
  layers: ['ops', 'backend', 'weights', 'core'],
  models: ['layers', 'ops', 'backend', 'weights', 'core'],
  engine: ['models', 'layers', 'ops', 'backend', 'core'],
  binding: ['engine', 'models', 'layers', 'ops', 'backend', 'weights', 'media', 'core'],
};

/** What other rooms may see of a room, where that is less than all of it. */
const NATIVE_ENTRANCES = {
  backend: ['backend/backend.h', 'backend/select.h'],
  models: ['models/model.h'],
};

/** The only rooms that may include these headers from outside native/. */
const FOREIGN_HEADERS = { 'napi.h': ['binding'], 'node_api.h': ['binding'] };

/** Rooms of lib/ (folders, and files beside them) that a room may import besides itself; errors.ts and types are free. */
const LIB_ARROWS = {
  'errors.ts': [],
  native: [],
  tokenizer: [],
  jinja: [],
  tensors: [],
  'model-folder': [],
  hub: [],
  inspect: ['model-folder', 'processors', 'native'],
  engine: ['tokenizer', 'native'],
  chat: ['jinja', 'engine', 'tokenizer', 'native'],
  media: ['tensors', 'engine', 'tokenizer', 'native'],
  processors: ['engine', 'tokenizer', 'native'],
  transcription: ['processors', 'engine', 'tokenizer', 'native'],
  request: ['chat', 'transcription', 'engine', 'tokenizer', 'native'],
  llm: [
    'chat',
    'request',
    'tensors',
    'transcription',
    'media',
    'processors',
    'engine',
    'model-folder',
    'hub',
    'inspect',
    'tokenizer',
    'native',
  ],
  'llm.ts': [
    'llm',
    'chat',
    'request',
    'transcription',
    'media',
    'processors',
    'engine',
    'model-folder',
    'hub',
    'inspect',
    'tokenizer',
    'native',
  ],
  server: ['llm.ts', 'llm', 'request', 'transcription'],
  cli: ['server', 'llm.ts', 'llm', 'request', 'transcription', 'inspect'],
  'index.ts': ['llm.ts', 'llm', 'server', 'request', 'engine', 'chat', 'media', 'processors', 'native'],
};

function* filesBelow(folder, extensions) {
  const entries = readdirSync(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(file, extensions);
    else if (extensions.some((extension) => entry.name.endsWith(extension))) yield file;
  }
}

/** [line number, captured text] of each match in a file; one group of the pattern captures. */
function* matches(file, pattern) {
  const text = readFileSync(file, 'utf8');
  for (const match of text.matchAll(pattern)) {
    yield [text.slice(0, match.index).split('\n').length, match.slice(1).find(Boolean)];
  }
}

/** What is wrong with `room` including `header`, or undefined. */
function includeFault(room, header) {
  const target = header.split('/')[0];
  if (FOREIGN_HEADERS[header] !== undefined) {
    return FOREIGN_HEADERS[header].includes(room)
      ? undefined
      : `only ${FOREIGN_HEADERS[header]} may include it`;
  }
  if (NATIVE_ARROWS[target] === undefined || target === header) return 'not written from native/';
  if (target === room) return undefined;
  if (!NATIVE_ARROWS[room].includes(target)) return `${room} may not include ${target}`;
  const entrances = NATIVE_ENTRANCES[target];
  return entrances === undefined || entrances.includes(header)
    ? undefined
    : `${target} shows only ${entrances.join(', ')}`;
}

function* checkNative(root) {
  const folder = path.join(root, 'native');
  for (const file of filesBelow(folder, ['.h', '.cpp'])) {
    const room = path.relative(folder, file).split(path.sep)[0];
    if (NATIVE_ARROWS[room] === undefined) {
      yield `${path.relative(root, file)}: '${room}' is no room of native/`;
      continue;
    }
    for (const [line, header] of matches(
      file,
      /^[ \t]*#[ \t]*include[ \t]+("[^"]+"|<(?:napi|node_api)\.h>)/gm,
    )) {
      const name = header.slice(1, -1);
      const fault = includeFault(room, name);
      if (fault !== undefined) yield `${path.relative(root, file)}:${line}: includes ${name}: ${fault}`;
    }
  }
}

const IMPORT =
  /^[ \t]*(?:import|export)\b(?:[^'";]*?\bfrom)?\s*['"](\.[^'"]*)['"]|\bimport\(\s*['"](\.[^'"]*)['"]/gm;

function* checkLib(root) {
  const folder = path.join(root, 'lib');
  const roomOf = (file) => path.relative(folder, file).split(path.sep)[0];
  for (const file of filesBelow(folder, ['.ts'])) {
    const room = roomOf(file);
    if (LIB_ARROWS[room] === undefined) {
      yield `${path.relative(root, file)}: '${room}' is no room of lib/`;
      continue;
    }
    for (const [line, specifier] of matches(file, IMPORT)) {
      const target = path.resolve(path.dirname(file), specifier).replace(/\.js$/, '.ts');
      if (target === path.join(folder, 'errors.ts') || /(^|-)types\.ts$/.test(path.basename(target)))
        continue;
      const targetRoom = roomOf(target);
      if (targetRoom === room || LIB_ARROWS[room].includes(targetRoom)) continue;
      yield `${path.relative(root, file)}:${line}: imports ${specifier}: ${room} may not import ${targetRoom}`;
    }
  }
}

const root = path.resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)));
const offenders = [...checkNative(root), ...checkLib(root)];
for (const offender of offenders) process.stderr.write(`${offender}\n`);
process.exitCode = offenders.length === 0 ? 0 : 1;
