/** Short spellings of vLLM's that have more than one letter, which commander does not know. */
const ALIASES: Readonly<Record<string, string>> = {
  '-tp': '--tensor-parallel-size',
  '-pp': '--pipeline-parallel-size',
  '-dp': '--data-parallel-size',
};

function readValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** `{"a":{"b":value}}` for the path a, b. */
function nest(path: readonly string[], value: unknown): unknown {
  return path.reduceRight<unknown>((inner, key) => ({ [key]: inner }), value);
}

/**
 * vLLM's ways of writing flags, as commander takes them: `--max_model_len` with dashes, short names of two letters, and
 * `--media-io-kwargs.video.fps 2` as `--media-io-kwargs={"video":{"fps":2}}`. What follows `--` stays as it is.
 */
export function normaliseArguments(args: readonly string[]): string[] {
  const normal: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === '--') return [...normal, ...args.slice(i)];
    const [, name, keys, equals, inline] = /^(--?[A-Za-z][\w-]*)((?:\.[\w-]+)*)(=?)([^]*)$/.exec(arg) ?? [];
    if (name === undefined || (equals === '' && inline !== '')) {
      normal.push(arg);
      continue;
    }
    const flag = ALIASES[name] ?? (name.startsWith('--') ? name.replaceAll('_', '-') : name);
    if (keys === '') normal.push(flag + equals + inline);
    else {
      const value = equals === '=' ? (inline as string) : (args[++i] ?? '');
      normal.push(`${flag}=${JSON.stringify(nest((keys as string).slice(1).split('.'), readValue(value)))}`);
    }
  }
  return normal;
}
