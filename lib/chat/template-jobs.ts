/** What happens inside a template host, be it a thread or a process. */
import { Template } from '../jinja/template.js';
import { detectContentFormat } from './content-format.js';
import type {
  TemplateHostData,
  TemplateHostMessage,
  TemplateName,
  TemplateTask,
} from './template-messages.js';

/** Characters of the template texts that stay compiled. */
const MAX_KEPT_LENGTH = 256 * 1024;
const MAX_KEPT = 16;

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, 500);

/** Compiled templates by their text; the least recently used ones go first. */
class CompiledTemplates {
  private readonly bySource = new Map<string, Template>();
  private keptLength = 0;

  get(source: string): Template {
    const known = this.bySource.get(source);
    const template = known ?? new Template(source);
    this.bySource.delete(source);
    this.bySource.set(source, template);
    if (known === undefined) this.keptLength += source.length;
    this.shrink();
    return template;
  }

  private shrink(): void {
    for (const source of this.bySource.keys()) {
      if (this.keptLength <= MAX_KEPT_LENGTH && this.bySource.size <= MAX_KEPT) return;
      this.bySource.delete(source);
      this.keptLength -= source.length;
    }
  }
}

/** Compiles the templates of `data` and tells `send` so; the result answers tasks. Undefined: they do not compile. */
export function startTemplateJobs(
  data: TemplateHostData,
  send: (message: TemplateHostMessage) => void,
): ((task: TemplateTask) => void) | undefined {
  const compiled = new CompiledTemplates();
  let templates: Template[];
  try {
    templates = data.sources.map((source) => new Template(source));
    send({ kind: 'ready', formats: data.sources.map(detectContentFormat) });
  } catch (error) {
    send({ kind: 'invalid', message: reasonOf(error) });
    return undefined;
  }
  const find = (name: TemplateName): Template | undefined =>
    typeof name === 'number' ? templates[name] : compiled.get(name);
  const answer = (task: TemplateTask): TemplateHostMessage => {
    if (task.kind === 'inspect') {
      compiled.get(task.source);
      return { kind: 'answered', answer: detectContentFormat(task.source) };
    }
    const text = find(task.template)?.render(task.variables) ?? '';
    if (text.length <= data.maxOutputLength) return { kind: 'answered', answer: text };
    return { kind: 'failed', message: `it gave more than ${data.maxOutputLength} characters` };
  };
  return (task) => {
    try {
      send(answer(task));
    } catch (error) {
      send({ kind: 'failed', message: reasonOf(error) });
    }
  };
}
