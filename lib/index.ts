/** Sensorium's public names. The server is at `sensorium/server`. */
export { ERROR_TABLE, SensoriumError, type ErrorBody, type ErrorCode } from './errors.js';
export { LLM } from './llm.js';
export type * from './llm/types.js';
export type {
  CompletionOutput,
  FinishReason,
  OutputDelta,
  RequestResult,
  RunningRequest,
  Timings,
  TokenLogprob,
  Usage,
} from './engine/types.js';
export type {
  DecodedAudio,
  DecodedImage,
  DecodedMedia,
  DecodedVideo,
  MediaOptions,
  MediaPolicy,
  Modality,
  SampleArray,
  SharpImage,
  TensorArray,
} from './media/types.js';
export type { NativeModelInfo } from './native/addon.js';
export type { ChatOptions, SamplingOptions } from './request/types.js';
