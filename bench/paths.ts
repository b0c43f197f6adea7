import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository's root, seen from dist-bench/. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));
export const DEMO_FOLDER = join(ROOT, 'models', 'demo');
export const LIMITS_PROGRAM = join(ROOT, 'build', 'bench', 'bench_limits');
export const RESULTS_FOLDER = join(ROOT, 'bench', 'results');
