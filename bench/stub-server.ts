// The HTTP server over a model that answers at once: what is measured is HTTP, checking and wording. Prints its URL.
import { serve, type ServerLLM } from '../dist/server/index.js';

type Running = Awaited<ReturnType<ServerLLM['submitChat']>>;
type Result = Awaited<ReturnType<Running['result']>>;

const RESULT: Result = {
  requestId: 'stub',
  promptTokenIds: [1, 2, 3],
  outputs: [{ index: 0, text: 'Hello!', tokenIds: [4, 5], finishReason: 'stop', stopReason: null }],
  usage: {
    promptTokens: 3,
    completionTokens: 2,
    totalTokens: 5,
    cachedTokens: 0,
    cachedMedia: 0,
    imageTokens: 0,
    videoTokens: 0,
    audioTokens: 0,
  },
  timings: {
    fetchMs: 0,
    preprocessMs: 0,
    queuedMs: 0,
    encodeMs: 0,
    prefillMs: 1,
    decodeMs: 1,
    timeToFirstTokenMs: 1,
    totalMs: 2,
  },
};

const RUNNING: Running = {
  requestId: 'stub',
  promptTokenIds: RESULT.promptTokenIds,
  result: () => Promise.resolve(RESULT),
  abort: () => undefined,
  async *[Symbol.asyncIterator]() {
    yield { index: 0, text: 'Hello!', tokenIds: [4, 5], finishReason: 'stop' as const, stopReason: null };
    await Promise.resolve();
  },
};

const STUB: ServerLLM = {
  modelId: 'stub',
  modelIds: ['stub'],
  maxModelLen: 4096,
  info: {
    architecture: 'StubForCausalLM',
    family: 'stub',
    vocabSize: 256,
    hiddenSize: 1,
    numLayers: 1,
    maxPositionEmbeddings: 4096,
    numParameters: 1,
    weightBytes: 1,
    hasImage: false,
    hasVideo: false,
    hasAudio: false,
  },
  isa: 'generic',
  tileUnit: 'none',
  dtype: 'float32',
  mediaRules: { modalities: [], limits: { image: 0, video: 0, audio: 0 }, hasEmbeddings: false },
  submitChat: () => Promise.resolve(RUNNING),
  submitPrompt: () => Promise.resolve(RUNNING),
  task: 'generate',
  poolPrompt: () => Promise.reject(new Error('the stub embeds nothing')),
  poolChat: () => Promise.reject(new Error('the stub embeds nothing')),
  canTranscribe: false,
  transcribe: () => Promise.reject(new Error('the stub hears nothing')),
  transcribeStream: () => {
    throw new Error('the stub hears nothing');
  },
  renderChat: () => Promise.resolve({ tokenIds: RESULT.promptTokenIds }),
  tokenizeInSlices: () => Promise.resolve(RESULT.promptTokenIds),
  detokenize: () => '',
  stats: () => {
    throw new Error('the stub has no engine');
  },
  observe: () => () => undefined,
  close: () => Promise.resolve(),
};

const { url } = await serve(STUB, { port: 0 });
process.stdout.write(`${url}\n`);
process.once('SIGTERM', () => process.exit(0));
