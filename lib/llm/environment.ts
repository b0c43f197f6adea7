import { VARIABLES } from '../media/environment.js';

type Environment = Record<string, string | undefined>;

/** Read elsewhere: the key by the server's command, the others by the native engine, under their own names only. */
const OTHERS = ['SENSORIUM_API_KEY', 'VLLM_API_KEY', 'SENSORIUM_CPU_ISA', 'SENSORIUM_EMULATE_TILES'];
const KNOWN: ReadonlySet<string> = new Set([
  ...OTHERS,
  ...VARIABLES.flatMap((suffix) => [`SENSORIUM_${suffix}`, `VLLM_${suffix}`]),
]);

/** Names of variables that look as if they were for this program and are not read: vLLM's others, and misspelled ones. */
export function unusedVariables(env: Environment): string[] {
  const isMeant = (name: string): boolean => /^(SENSORIUM|VLLM)_/.test(name) && (env[name] ?? '') !== '';
  return Object.keys(env)
    .filter((name) => isMeant(name) && !KNOWN.has(name))
    .sort();
}
