import { SensoriumError } from '../errors.js';
import type { ContentFormat } from './content-format.js';
import type { TemplateInfo } from './template-context.js';
import { TemplatePool, type TemplatePoolOptions } from './template-pool.js';

/** Characters of a template that comes with a request. */
export const MAX_REQUEST_TEMPLATE_LENGTH = 64 * 1024;

/** Templates whose format is remembered. */
const MAX_KNOWN = 32;

const LIMITS: Partial<TemplatePoolOptions> = {
  host: 'process',
  timeoutMs: 500,
  maxHeapMb: 128,
  maxOutputLength: 4 * 1024 * 1024,
  isKeptWarm: true,
};

/**
 * Templates that come with requests. They run in processes of their own, apart from the model's templates, and main
 * never parses them.
 */
export class RequestTemplates {
  private readonly formats = new Map<string, ContentFormat>();

  private constructor(private readonly pool: TemplatePool) {}

  static async create(): Promise<RequestTemplates> {
    const pool = new TemplatePool([], LIMITS);
    await pool.start();
    return new RequestTemplates(pool);
  }

  /** Compiles a template. Rejects with `invalid_template`, `template_timeout`, `queue_full`. */
  async inspect(source: string): Promise<TemplateInfo> {
    if (source.length > MAX_REQUEST_TEMPLATE_LENGTH) {
      const message = `'chat_template' must have at most ${MAX_REQUEST_TEMPLATE_LENGTH} characters.`;
      throw new SensoriumError('invalid_value', message);
    }
    const format = this.formats.get(source) ?? (await this.pool.inspect(source));
    this.formats.delete(source);
    this.formats.set(source, format);
    const oldest = this.formats.keys().next();
    if (this.formats.size > MAX_KNOWN && oldest.done !== true) this.formats.delete(oldest.value);
    return { source, format };
  }

  /** Rejects as `inspect`. */
  render(source: string, variables: Record<string, unknown>): Promise<string> {
    return this.pool.render(source, variables);
  }

  close(): void {
    this.pool.close();
  }
}
