#include "binding/request_reader.h"

#include <limits>
#include <string>
#include <utility>

#include "binding/arguments.h"
#include "binding/media_object.h"
#include "core/error.h"

namespace sensorium::binding {
namespace {

constexpr int64_t kMaxSafeInteger = (int64_t{1} << 53) - 1;
constexpr int32_t kMaxInt32 = std::numeric_limits<int32_t>::max();
constexpr uint32_t kMaxListLength = 1u << 20;
constexpr size_t kMaxPathBytes = 1u << 16;
constexpr size_t kMaxKeyBytes = 1u << 12;
constexpr double kMaxFloat = std::numeric_limits<float>::max();

std::string element(const std::string& path, uint32_t index) { return path + "[" + std::to_string(index) + "]"; }

/// The two elements of a pair such as [tokenId, bias].
Napi::Array read_pair(const Napi::Value& value, const std::string& path) {
  const Napi::Array pair = read_array(value, path, 2);
  if (pair.Length() != 2) throw Error(ErrorCode::kInvalidArgument, path + " must be a pair");
  return pair;
}

std::vector<std::pair<int32_t, float>> read_logit_bias(const Napi::Value& value, const std::string& path) {
  const Napi::Array array = read_array(value, path, kMaxListLength);
  std::vector<std::pair<int32_t, float>> biases;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Array pair = read_pair(array.Get(i), element(path, i));
    biases.emplace_back(static_cast<int32_t>(read_integer(pair.Get(0U), element(path, i) + "[0]", 0, kMaxInt32)),
                        static_cast<float>(read_number(pair.Get(1U), element(path, i) + "[1]", -kMaxFloat, kMaxFloat)));
  }
  return biases;
}

std::optional<uint64_t> read_seed(const Fields& fields) {
  if (!fields.has("seed")) return std::nullopt;
  const Napi::Value value = fields.get("seed");
  bool is_lossless = false;
  const uint64_t seed = value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&is_lossless) : 0;
  if (!is_lossless) throw Error(ErrorCode::kInvalidArgument, fields.path("seed") + " must be a bigint of 64 bits without sign");
  return seed;
}

std::vector<int32_t> read_optional_ids(const Fields& fields, const char* key) {
  if (!fields.has(key)) return {};
  return read_token_ids(fields.get(key), fields.path(key), kMaxListLength);
}

DecodingRules read_rules(const Fields& fields) {
  DecodingRules rules;
  rules.begin_suppressed_ids = read_optional_ids(fields, "beginSuppressedIds");
  rules.suppressed_ids = read_optional_ids(fields, "suppressedIds");
  if (!fields.has("timestamps")) return rules;
  const Fields timestamps(fields.get("timestamps"), fields.path("timestamps"));
  TimestampRules& result = rules.timestamps.emplace();
  result.no_timestamps_id = timestamps.int32("noTimestampsId", 0, kMaxInt32 - 1);
  result.eos_id = timestamps.int32("eosId", 0, kMaxInt32);
  const auto max_initial_index = timestamps.optional_integer("maxInitialIndex", 0, kMaxInt32);
  if (max_initial_index) result.max_initial_index = static_cast<int32_t>(*max_initial_index);
  return rules;
}

SamplingParams read_sampling(const Fields& fields) {
  SamplingParams sampling;
  const auto number = [&](const char* key, double min, double max) { return static_cast<float>(fields.number(key, min, max)); };
  sampling.temperature = number("temperature", 0.0, kMaxFloat);
  sampling.top_p = number("topP", 0.0, 1.0);
  sampling.top_k = fields.int32("topK", 0, kMaxInt32);
  sampling.min_p = number("minP", 0.0, 1.0);
  sampling.repetition_penalty = number("repetitionPenalty", 0.0, kMaxFloat);
  sampling.presence_penalty = number("presencePenalty", -kMaxFloat, kMaxFloat);
  sampling.frequency_penalty = number("frequencyPenalty", -kMaxFloat, kMaxFloat);
  sampling.logit_bias = read_logit_bias(fields.get("logitBias"), fields.path("logitBias"));
  sampling.seed = read_seed(fields);
  sampling.max_tokens = fields.int32("maxTokens", 1, kMaxInt32);
  sampling.min_tokens = fields.int32("minTokens", 0, kMaxInt32);
  sampling.ignore_eos = fields.boolean("ignoreEos");
  sampling.stop_token_ids = read_token_ids(fields.get("stopTokenIds"), fields.path("stopTokenIds"), kMaxListLength);
  if (fields.has("numLogprobs")) sampling.num_logprobs = fields.int32("numLogprobs", 0, kMaxInt32);
  sampling.n = fields.int32("n", 1, kMaxInt32);
  sampling.allowed_ids = read_optional_ids(fields, "allowedIds");
  if (fields.has("rules")) sampling.rules = read_rules(Fields(fields.get("rules"), fields.path("rules")));
  return sampling;
}

MediaItem read_media_item(const Napi::Value& value, const std::string& path) {
  const Fields fields(value, path);
  MediaItem item;
  item.key = fields.string("key", kMaxKeyBytes);
  item.media = MediaObject::from(fields.get("media"), fields.path("media"));
  item.is_interleaved_with_audio = fields.boolean("isInterleavedWithAudio");
  const std::string runs_path = fields.path("runs");
  const Napi::Array runs = read_array(fields.get("runs"), runs_path, kMaxListLength);
  for (uint32_t i = 0; i < runs.Length(); ++i) {
    const Napi::Array pair = read_pair(runs.Get(i), element(runs_path, i));
    item.runs.push_back({static_cast<int32_t>(read_integer(pair.Get(0U), element(runs_path, i) + "[0]", 0, kMaxInt32)),
                         static_cast<int32_t>(read_integer(pair.Get(1U), element(runs_path, i) + "[1]", 0, kMaxInt32))});
  }
  return item;
}

AlignmentParams read_alignment(const Fields& fields) {
  AlignmentParams params;
  const std::string heads_path = fields.path("heads");
  const Napi::Array heads = read_array(fields.get("heads"), heads_path, kMaxListLength);
  for (uint32_t i = 0; i < heads.Length(); ++i) {
    const Napi::Array pair = read_pair(heads.Get(i), element(heads_path, i));
    params.heads.push_back({read_integer(pair.Get(0U), element(heads_path, i) + "[0]", 0, kMaxInt32),
                            read_integer(pair.Get(1U), element(heads_path, i) + "[1]", 0, kMaxInt32)});
  }
  params.filter_width = fields.int32("filterWidth", 1, kMaxInt32);
  params.first_token = fields.int32("firstToken", 0, kMaxInt32);
  params.num_tokens = fields.int32("numTokens", 1, kMaxInt32);
  params.num_frames = fields.int32("numFrames", 1, kMaxInt32);
  return params;
}

std::vector<int32_t> read_prompt_ids(const Fields& fields) {
  const Napi::Value value = fields.get("promptIds");
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array) {
    throw Error(ErrorCode::kInvalidArgument, fields.path("promptIds") + " must be an Int32Array");
  }
  const auto array = value.As<Napi::Int32Array>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

DType read_dtype(const Fields& fields) {
  const std::string name = fields.string("dtype", 16);
  if (name == "float32") return DType::kFloat32;
  if (name == "bfloat16") return DType::kBFloat16;
  throw Error(ErrorCode::kInvalidArgument, fields.path("dtype") + " must be float32 or bfloat16");
}

}  // namespace

uint64_t read_request_id(const Napi::Value& value, const std::string& path) {
  return static_cast<uint64_t>(read_integer(value, path, 0, kMaxSafeInteger));
}

EngineRequest read_request(const Napi::Value& value) {
  const Fields fields(value, "request");
  EngineRequest request;
  request.id = read_request_id(fields.get("id"), fields.path("id"));
  request.prompt_ids = read_prompt_ids(fields);
  const Napi::Array media = read_array(fields.get("media"), fields.path("media"), kMaxListLength);
  for (uint32_t i = 0; i < media.Length(); ++i) {
    request.media.push_back(read_media_item(media.Get(i), element(fields.path("media"), i)));
  }
  request.sampling = read_sampling(Fields(fields.get("sampling"), fields.path("sampling")));
  request.cache_salt = fields.string("cacheSalt", kMaxKeyBytes);
  if (fields.has("pooling")) {
    const Fields pooling(fields.get("pooling"), fields.path("pooling"));
    request.kind = RequestKind::kPool;
    request.is_normalized = pooling.boolean("isNormalized");
  }
  if (fields.has("alignment")) {
    request.kind = RequestKind::kAlign;
    request.alignment = read_alignment(Fields(fields.get("alignment"), fields.path("alignment")));
  }
  return request;
}

LoadOptions read_engine_options(const Napi::Value& value) {
  const Fields fields(value, "options");
  LoadOptions options;
  options.model = fields.string("model", kMaxPathBytes);
  options.backend.compute_dtype = read_dtype(fields);
  if (fields.has("isa")) options.backend.isa = fields.string("isa", 16);
  options.backend.num_threads = static_cast<int>(fields.optional_integer("numThreads", 0, 4096).value_or(0));
  EngineOptions& engine = options.engine;
  engine.max_num_seqs = fields.int32("maxNumSeqs", 1, 65536);
  engine.max_num_batched_tokens = fields.int32("maxNumBatchedTokens", 1, kMaxInt32);
  engine.max_model_len = fields.int32("maxModelLen", 0, kMaxInt32);
  engine.block_size = fields.int32("blockSize", 1, 4096);
  if (fields.has("kvCacheBytes"))
    options.kv_cache_bytes = static_cast<size_t>(fields.integer("kvCacheBytes", 1, kMaxSafeInteger));
  engine.encoder_cache_bytes = static_cast<size_t>(fields.integer("encoderCacheBytes", 0, kMaxSafeInteger));
  engine.enable_prefix_caching = fields.boolean("enablePrefixCaching");
  engine.eos_token_ids = read_token_ids(fields.get("eosTokenIds"), fields.path("eosTokenIds"), kMaxListLength);
  engine.max_queued = fields.int32("maxQueued", 0, kMaxInt32);
  return options;
}

}  // namespace sensorium::binding
