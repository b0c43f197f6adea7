import type { ContentFormat } from './content-format.js';

/** What the template worker is started with. */
export interface TemplateWorkerData {
  sources: string[];
  maxOutputLength: number;
}

export interface RenderTask {
  templateIndex: number;
  variables: Record<string, unknown>;
}

/** What the worker sends: its readiness with the templates' formats, then one answer per task. */
export type TemplateWorkerMessage =
  | { kind: 'ready'; formats: ContentFormat[] }
  | { kind: 'invalid'; message: string }
  | { kind: 'rendered'; text: string }
  | { kind: 'failed'; message: string };
