import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SensoriumError } from '../errors.js';

/** The folder of this package: the nearest one above this file that holds package.json. */
function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) throw new SensoriumError('internal_error', 'The package has no package.json.');
    folder = parent;
  }
  return folder;
}

/** Folder of the demo model that comes with the package. */
export function embeddedModelPath(): string {
  return join(findPackageRoot(), 'models', 'demo');
}

/** Folder of the chat templates that come with the package, for `--chat-template NAME`. */
export function shippedTemplatesPath(): string {
  return join(findPackageRoot(), 'templates');
}
