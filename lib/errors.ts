/**
 * One table of error codes: the stable string a client can branch on, its HTTP status, OpenAI's coarse type, and when it is
 * raised, as the reference page says it.
 */
export const ERROR_TABLE = {
  invalid_json: { status: 400, type: 'invalid_request_error', when: 'the body is not JSON' },
  body_too_large: { status: 413, type: 'invalid_request_error', when: 'over `--max-body-mb`' },
  invalid_type: { status: 400, type: 'invalid_request_error', when: 'a field of the wrong type' },
  invalid_value: { status: 400, type: 'invalid_request_error', when: 'a field out of its range' },
  missing_field: { status: 400, type: 'invalid_request_error', when: 'a required field is absent' },
  unsupported_content_type: {
    status: 415,
    type: 'invalid_request_error',
    when: 'not `application/json`, or compressed',
  },
  unknown_part_type: { status: 400, type: 'invalid_request_error', when: 'a content part nobody knows' },
  unsupported_modality: {
    status: 400,
    type: 'invalid_request_error',
    when: 'the model does not take such media',
  },
  too_many_media: { status: 400, type: 'invalid_request_error', when: 'over `--limit-mm-per-prompt`' },
  prompt_empty: { status: 400, type: 'invalid_request_error', when: 'nothing to continue' },
  prompt_too_long: {
    status: 400,
    type: 'invalid_request_error',
    when: 'prompt and answer do not fit `--max-model-len`',
  },
  placeholder_mismatch: {
    status: 400,
    type: 'invalid_request_error',
    when: 'placeholders in a prompt and media differ in number',
  },
  invalid_template: {
    status: 400,
    type: 'invalid_request_error',
    when: 'the chat template fails on these messages',
  },
  template_timeout: { status: 400, type: 'invalid_request_error', when: 'rendering took too long' },
  template_missing: {
    status: 400,
    type: 'invalid_request_error',
    when: 'the checkpoint has no chat template',
  },
  invalid_api_key: { status: 401, type: 'authentication_error', when: 'missing or wrong key' },
  model_not_found: { status: 404, type: 'invalid_request_error', when: 'another model than the served one' },
  route_not_found: { status: 404, type: 'invalid_request_error', when: 'no such route' },
  unsupported_task: {
    status: 404,
    type: 'invalid_request_error',
    when: 'a route that this kind of model does not have',
  },
  method_not_allowed: { status: 405, type: 'invalid_request_error', when: 'another method' },
  invalid_url: { status: 400, type: 'invalid_request_error', when: 'a URL that does not parse' },
  url_scheme_refused: {
    status: 400,
    type: 'invalid_request_error',
    when: 'neither http(s), `data:` nor an allowed `file:`',
  },
  media_address_refused: { status: 403, type: 'permission_error', when: 'a private address' },
  media_domain_refused: { status: 403, type: 'permission_error', when: 'not in `--allowed-media-domains`' },
  local_file_refused: {
    status: 403,
    type: 'permission_error',
    when: '`file:` is closed, or outside its folder',
  },
  local_file_not_found: { status: 404, type: 'invalid_request_error', when: 'no such file' },
  media_fetch_rejected: { status: 422, type: 'invalid_request_error', when: 'the media server said 4xx' },
  media_fetch_failed: {
    status: 502,
    type: 'upstream_error',
    when: 'the media server failed or is unreachable',
  },
  media_fetch_timeout: { status: 504, type: 'upstream_error', when: 'it took too long' },
  media_too_large: {
    status: 413,
    type: 'invalid_request_error',
    when: 'bytes, pixels, seconds or frames over the limit',
  },
  media_format_refused: { status: 400, type: 'invalid_request_error', when: 'a format that is not decoded' },
  invalid_image: { status: 400, type: 'invalid_request_error', when: 'a broken image' },
  invalid_audio: { status: 400, type: 'invalid_request_error', when: 'a broken sound' },
  invalid_video: { status: 400, type: 'invalid_request_error', when: 'a broken video' },
  invalid_embedding: { status: 400, type: 'invalid_request_error', when: 'embeddings of the wrong shape' },
  media_cache_miss: {
    status: 404,
    type: 'invalid_request_error',
    when: 'only a `uuid`, and nothing is known by it',
  },
  ffmpeg_missing: {
    status: 501,
    type: 'not_implemented_error',
    when: 'needs ffmpeg, which is not installed',
  },
  not_supported: { status: 501, type: 'not_implemented_error', when: 'known, but not done here' },
  rate_limited: { status: 429, type: 'rate_limit_error', when: 'too much at once' },
  queue_full: { status: 429, type: 'rate_limit_error', when: 'too many requests wait' },
  request_cancelled: { status: 499, type: 'invalid_request_error', when: 'the client left' },
  request_timeout: { status: 408, type: 'invalid_request_error', when: 'the request did not arrive in time' },
  shutting_down: { status: 503, type: 'server_error', when: 'the server is ending' },
  engine_unavailable: { status: 503, type: 'server_error', when: 'the engine has stopped' },
  invalid_checkpoint: { status: 500, type: 'server_error', when: 'a damaged or incomplete checkpoint' },
  unsupported_architecture: {
    status: 500,
    type: 'server_error',
    when: 'an architecture without an implementation',
  },
  hub_access_refused: { status: 403, type: 'permission_error', when: 'a private or gated model on the Hub' },
  download_failed: { status: 502, type: 'upstream_error', when: 'the Hub cannot be reached' },
  download_corrupt: { status: 502, type: 'upstream_error', when: 'a download with the wrong hash, twice' },
  invalid_option: { status: 400, type: 'invalid_request_error', when: 'an option out of its range' },
  addon_missing: { status: 500, type: 'server_error', when: 'the native addon is not built' },
  isa_unavailable: { status: 500, type: 'server_error', when: 'the forced kernel table cannot run here' },
  out_of_memory: { status: 503, type: 'server_error', when: 'no memory left' },
  internal_error: { status: 500, type: 'server_error', when: 'a fault of ours' },
} as const satisfies Record<string, { status: number; type: string; when: string }>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** OpenAI's error envelope. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: ErrorCode };
}

export interface SensoriumErrorOptions {
  /** The request field or part at fault, as a path: `messages[0].content[1].image_url`. */
  param?: string | undefined;
  cause?: unknown;
  /** Machine-readable extras that belong to the code (for example the uuid of a cache miss). */
  details?: Record<string, unknown> | undefined;
}

/** The only error type that leaves the public API. */
export class SensoriumError extends Error {
  override readonly name = 'SensoriumError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly type: string;
  readonly param: string | null;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: ErrorCode, message: string, options: SensoriumErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = ERROR_TABLE[code].status;
    this.type = ERROR_TABLE[code].type;
    this.param = options.param ?? null;
    this.details = options.details;
  }

  toBody(): ErrorBody {
    return {
      error: { message: this.message, type: this.type, param: this.param, code: this.code, ...this.details },
    };
  }

  /** The same error, naming `param` when it names none yet. */
  withParam(param: string): SensoriumError {
    return this.renamingParam(null, param);
  }

  /** The same error, naming `param` where it named `known`. */
  renamingParam(known: string | null, param: string): SensoriumError {
    if (this.param !== known) return this;
    return new SensoriumError(this.code, this.message, { param, cause: this.cause, details: this.details });
  }
}

/** Any thrown value as a SensoriumError; unknown ones become `internal_error` without their text. */
export function toSensoriumError(error: unknown): SensoriumError {
  if (error instanceof SensoriumError) return error;
  return new SensoriumError('internal_error', 'An internal error occurred.', { cause: error });
}
