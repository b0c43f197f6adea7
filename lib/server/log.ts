import { pino, type Logger } from 'pino';

/** `text` without user names and passwords of URLs and without the payload of data: URLs. */
export function scrub(text: string): string {
  return text
    .replace(/\b([a-z][\w+.-]*:\/\/)[^/\s@'"]+@/gi, '$1')
    .replace(/\bdata:([\w./+-]*)[^,\s]*,[A-Za-z0-9+/=_%-]+/gi, 'data:$1,(left out)');
}

const scrubError = (error: unknown): unknown => {
  if (!(error instanceof Error)) return error;
  const serialized = pino.stdSerializers.err(error) as unknown as Record<string, unknown>;
  const entries = Object.entries(serialized).map(([key, value]) => [
    key,
    typeof value === 'string' ? scrub(value) : value,
  ]);
  return Object.fromEntries(entries);
};

/** JSON lines on stderr. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      serializers: { err: scrubError },
      hooks: {
        logMethod(args, method) {
          const scrubbed = args.map((arg) => (typeof arg === 'string' ? scrub(arg) : arg));
          method.apply(this, scrubbed as Parameters<typeof method>);
        },
      },
    },
    pino.destination({ dest: 2, sync: true }),
  );
}
