import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { modelFolderOf, readJson } from './goldens.js';

const CHANGED = 'generation_config.json';

/** The golden Whisper, whose generation_config.json has other members; a member that is undefined is left out. */
export function makeWhisperFolder(changes: Record<string, unknown>): { folder: string; remove: () => void } {
  const golden = modelFolderOf('whisper');
  const folder = mkdtempSync(join(tmpdir(), 'whisper-'));
  for (const name of readdirSync(golden).filter((name) => name !== CHANGED)) {
    symlinkSync(join(golden, name), join(folder, name));
  }
  const config = { ...(readJson(join(golden, CHANGED)) as object), ...changes };
  writeFileSync(join(folder, CHANGED), JSON.stringify(config));
  return { folder, remove: () => rmSync(folder, { recursive: true }) };
}
