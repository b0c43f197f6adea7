import type { ContentFormat } from './content-format.js';

/** What a template host is started with. */
export interface TemplateHostData {
  /** Templates that are compiled at the start and named by their index. */
  sources: string[];
  maxOutputLength: number;
}

/** A template: the index of one that the host was started with, or its text. */
export type TemplateName = number | string;

export type TemplateTask =
  | { kind: 'render'; template: TemplateName; variables: Record<string, unknown> }
  /** Compiles a template's text; the answer is its content format. */
  | { kind: 'inspect'; source: string };

/** What a host sends: its readiness with the templates' formats, then one answer per task. */
export type TemplateHostMessage =
  | { kind: 'ready'; formats: ContentFormat[] }
  | { kind: 'invalid'; message: string }
  | { kind: 'answered'; answer: string }
  | { kind: 'failed'; message: string };
