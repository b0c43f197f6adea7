export { createApp } from './app.js';
export { serve, type RunningServer, type ServeOptions } from './serve.js';
export type { AppOptions, ServerLLM } from './types.js';
