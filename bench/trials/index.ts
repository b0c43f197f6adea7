import type { Trial } from '../trial.js';
import { HTTP_TRIALS } from './http.js';
import { MEDIA_TRIALS } from './media.js';
import { MEDIA_LOAD_TRIALS } from './media-load.js';
import { TEXT_TRIALS } from './text-model.js';
import { VISION_TRIALS } from './vision-model.js';

/** Every row of the bench, in the order it is printed. */
export const TRIALS: readonly Trial[] = [
  ...TEXT_TRIALS,
  ...VISION_TRIALS,
  ...MEDIA_TRIALS,
  ...MEDIA_LOAD_TRIALS,
  ...HTTP_TRIALS,
];
