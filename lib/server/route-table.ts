import { chatCompletions } from './routes/chat-completions.js';
import { completions } from './routes/completions.js';
import { modelByName, models } from './routes/models.js';
import { health, metrics, version } from './routes/operations.js';
import { embeddings } from './routes/embeddings.js';
import { detokenize, tokenize } from './routes/tokenize.js';
import { transcriptions, translations } from './routes/transcriptions.js';
import type { Route } from './types.js';

/** Every route there is. */
export const ROUTES: readonly Route[] = [
  chatCompletions,
  completions,
  embeddings,
  transcriptions,
  translations,
  models,
  modelByName,
  tokenize,
  detokenize,
  health,
  version,
  metrics,
];
