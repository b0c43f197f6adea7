/**
 * One table of error codes: the stable string a client can branch on, its HTTP status and OpenAI's coarse type.
 */
export const ERROR_TABLE = {
  invalid_json: { status: 400, type: 'invalid_request_error' },
  body_too_large: { status: 413, type: 'invalid_request_error' },
  invalid_type: { status: 400, type: 'invalid_request_error' },
  invalid_value: { status: 400, type: 'invalid_request_error' },
  missing_field: { status: 400, type: 'invalid_request_error' },
  unsupported_content_type: { status: 415, type: 'invalid_request_error' },
  unknown_part_type: { status: 400, type: 'invalid_request_error' },
  unsupported_modality: { status: 400, type: 'invalid_request_error' },
  too_many_media: { status: 400, type: 'invalid_request_error' },
  prompt_empty: { status: 400, type: 'invalid_request_error' },
  prompt_too_long: { status: 400, type: 'invalid_request_error' },
  placeholder_mismatch: { status: 400, type: 'invalid_request_error' },
  invalid_template: { status: 400, type: 'invalid_request_error' },
  template_timeout: { status: 400, type: 'invalid_request_error' },
  template_missing: { status: 400, type: 'invalid_request_error' },
  invalid_api_key: { status: 401, type: 'authentication_error' },
  model_not_found: { status: 404, type: 'invalid_request_error' },
  route_not_found: { status: 404, type: 'invalid_request_error' },
  unsupported_task: { status: 404, type: 'invalid_request_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  invalid_url: { status: 400, type: 'invalid_request_error' },
  url_scheme_refused: { status: 400, type: 'invalid_request_error' },
  media_address_refused: { status: 403, type: 'permission_error' },
  media_domain_refused: { status: 403, type: 'permission_error' },
  local_file_refused: { status: 403, type: 'permission_error' },
  local_file_not_found: { status: 404, type: 'invalid_request_error' },
  media_fetch_rejected: { status: 422, type: 'invalid_request_error' },
  media_fetch_failed: { status: 502, type: 'upstream_error' },
  media_fetch_timeout: { status: 504, type: 'upstream_error' },
  media_too_large: { status: 413, type: 'invalid_request_error' },
  media_format_refused: { status: 400, type: 'invalid_request_error' },
  invalid_image: { status: 400, type: 'invalid_request_error' },
  invalid_audio: { status: 400, type: 'invalid_request_error' },
  invalid_video: { status: 400, type: 'invalid_request_error' },
  invalid_embedding: { status: 400, type: 'invalid_request_error' },
  media_cache_miss: { status: 404, type: 'invalid_request_error' },
  ffmpeg_missing: { status: 501, type: 'not_implemented_error' },
  not_supported: { status: 501, type: 'not_implemented_error' },
  rate_limited: { status: 429, type: 'rate_limit_error' },
  queue_full: { status: 429, type: 'rate_limit_error' },
  request_cancelled: { status: 499, type: 'invalid_request_error' },
  request_timeout: { status: 408, type: 'invalid_request_error' },
  shutting_down: { status: 503, type: 'server_error' },
  engine_unavailable: { status: 503, type: 'server_error' },
  invalid_checkpoint: { status: 500, type: 'server_error' },
  unsupported_architecture: { status: 500, type: 'server_error' },
  hub_access_refused: { status: 403, type: 'permission_error' },
  download_failed: { status: 502, type: 'upstream_error' },
  download_corrupt: { status: 502, type: 'upstream_error' },
  invalid_option: { status: 400, type: 'invalid_request_error' },
  addon_missing: { status: 500, type: 'server_error' },
  isa_unavailable: { status: 500, type: 'server_error' },
  out_of_memory: { status: 503, type: 'server_error' },
  internal_error: { status: 500, type: 'server_error' },
} as const satisfies Record<string, { status: number; type: string }>;

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
