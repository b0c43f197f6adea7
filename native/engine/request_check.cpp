#include "engine/request_check.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "engine/encoder_cache.h"
#include "ops/median_filter.h"

namespace sensorium {
namespace {

constexpr int32_t kMaxContinuations = 128;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::kInvalidArgument, message); }

void require(bool is_fulfilled, const char* message) {
  if (!is_fulfilled) refuse(message);
}

std::string outside_vocabulary(int32_t token_id, int64_t vocab_size) {
  return "token id " + std::to_string(token_id) + " is not in the vocabulary of " + std::to_string(vocab_size);
}

void check_sampling(const SamplingParams& params, int64_t vocab_size) {
  require(std::isfinite(params.temperature) && params.temperature >= 0, "temperature must be finite and not negative");
  require(params.top_p > 0 && params.top_p <= 1, "top_p must be in (0, 1]");
  require(params.top_k >= 0, "top_k must not be negative");
  require(params.min_p >= 0 && params.min_p <= 1, "min_p must be in [0, 1]");
  require(std::isfinite(params.repetition_penalty) && params.repetition_penalty > 0,
          "repetition_penalty must be finite and positive");
  require(std::isfinite(params.presence_penalty), "presence_penalty must be finite");
  require(std::isfinite(params.frequency_penalty), "frequency_penalty must be finite");
  require(params.max_tokens >= 1, "max_tokens must be at least 1");
  require(params.min_tokens >= 0 && params.min_tokens <= params.max_tokens, "min_tokens must be in [0, max_tokens]");
  if (params.n < 1 || params.n > kMaxContinuations) refuse("n must be in [1, " + std::to_string(kMaxContinuations) + "]");
  if (params.num_logprobs && (*params.num_logprobs < 0 || *params.num_logprobs > vocab_size)) {
    refuse("the number of logprobs must be in [0, " + std::to_string(vocab_size) + "]");
  }
  for (const int32_t token_id : params.allowed_ids) {
    if (token_id < 0 || token_id >= vocab_size) refuse("allowed_ids: " + outside_vocabulary(token_id, vocab_size));
  }
  for (const auto& [token_id, bias] : params.logit_bias) {
    if (token_id < 0 || token_id >= vocab_size) refuse("logit_bias: " + outside_vocabulary(token_id, vocab_size));
    require(std::isfinite(bias), "the values of logit_bias must be finite");
  }
}

void check_length(const EngineRequest& input, const EngineOptions& options, int64_t num_cross_rows) {
  const size_t prompt_length = input.prompt_ids.size();
  require(prompt_length > 0, "the prompt is empty");
  const auto max_length = static_cast<size_t>(max_sequence_length(options, num_cross_rows));
  if (input.kind != RequestKind::kGenerate) {
    if (prompt_length <= max_length) return;
    refuse("the prompt has " + std::to_string(prompt_length) + " tokens, media included; at most " +
           std::to_string(max_length) + " have room");
  }
  if (prompt_length < max_length) return;
  std::string message = "the prompt has " + std::to_string(prompt_length) + " tokens, media included; with at least one " +
                        "token to answer it must be shorter than ";
  message += max_length < static_cast<size_t>(options.max_model_len)
                 ? "the KV cache of " + std::to_string(max_length) + " tokens (give it more memory)"
                 : "the maximum length of " + std::to_string(max_length) + " tokens";
  refuse(message);
}

/// Ids of placeholder tokens may lie beyond the vocabulary: encoder rows replace their embeddings.
void check_token_ids(const EngineRequest& input, const std::vector<MediaRun>& runs, int64_t vocab_size) {
  auto run = runs.begin();
  for (int32_t i = 0; i < static_cast<int32_t>(input.prompt_ids.size()); ++i) {
    while (run != runs.end() && run->offset + run->count <= i) ++run;
    const bool is_placeholder = run != runs.end() && run->offset <= i;
    const int32_t token_id = input.prompt_ids[static_cast<size_t>(i)];
    if (token_id >= 0 && (is_placeholder || token_id < vocab_size)) continue;
    refuse("position " + std::to_string(i) + " of the prompt: " + outside_vocabulary(token_id, vocab_size));
  }
}

void check_media(const EngineRequest& input, const Model& model) {
  const bool has_cross = model.info().num_cross_rows > 0;
  if (has_cross && input.media.size() != 1) {
    refuse("the model hears one sound at a time, not " + std::to_string(input.media.size()));
  }
  for (size_t i = 0; i < input.media.size(); ++i) {
    const MediaItem& item = input.media[i];
    const std::string name = "media item " + std::to_string(i);
    if (item.media == nullptr) refuse(name + " has no processed media");
    if (item.key.empty()) refuse(name + " has no key");
    if (item.runs.empty() != has_cross) {
      refuse(name + (has_cross ? " has placeholder tokens, which this model does not know" : " has no placeholder tokens"));
    }
    int64_t rows = 0;
    try {
      rows = model.num_encoder_rows(*item.media);
    } catch (const Error& error) {
      throw Error(error.code(), name + ": " + error.what());
    }
    if (!has_cross && rows != item.num_tokens()) {
      refuse(name + " has " + std::to_string(item.num_tokens()) + " placeholder tokens, but its encoder yields " +
             std::to_string(rows) + " rows");
    }
  }
}

/// Bounds what aligning takes: its matrices have an element for each token and encoder row.
void check_alignment(const EngineRequest& input, const ModelInfo& info) {
  constexpr int64_t kMaxElements = int64_t{1} << 24;
  const AlignmentParams& params = input.alignment;
  const int64_t length = std::ssize(input.prompt_ids);
  require(info.num_cross_rows > 0, "alignment: the model's tokens lie in no sound");
  require(!params.heads.empty() && std::ssize(params.heads) <= info.num_layers * info.num_kv_heads,
          "alignment: the number of heads is none or more than the model's");
  for (const AttentionHead& head : params.heads) {
    require(head.layer >= 0 && head.layer < info.num_layers && head.index >= 0 && head.index < info.num_kv_heads,
            "alignment: a head is none of the model's");
  }
  require(params.filter_width % 2 == 1 && params.filter_width >= 1 && params.filter_width <= ops::kMaxMedianWidth,
          "alignment: the width of the filter must be odd and in [1, 63]");
  require(params.first_token >= 0 && params.num_tokens >= 1 && params.first_token <= length - params.num_tokens,
          "alignment: the tokens to align are not in the prompt");
  require(params.num_frames >= 1 && params.num_frames <= info.num_cross_rows,
          "alignment: the frames are none or more than the encoder's rows");
  require(length <= kMaxElements / params.num_frames, "alignment: the prompt is too long for so many frames");
}

std::vector<int32_t> stop_ids_of(const SamplingParams& params, const EngineOptions& options) {
  std::vector<int32_t> ids = params.stop_token_ids;
  if (!params.ignore_eos) ids.insert(ids.end(), options.eos_token_ids.begin(), options.eos_token_ids.end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace

void check_options(const EngineOptions& options) {
  require(options.max_num_seqs >= 1, "max_num_seqs must be at least 1");
  require(options.max_num_batched_tokens >= 1, "max_num_batched_tokens must be at least 1");
  require(options.max_model_len >= 2, "max_model_len must be at least 2");
  require(options.block_size >= 1, "block_size must be at least 1");
  require(options.num_blocks >= 1 && options.num_blocks <= INT32_MAX / options.block_size,
          "num_blocks: the KV cache must have at least one block and less than 2^31 tokens");
  require(options.num_blocks * options.block_size >= 2, "num_blocks: the KV cache has no room for an answer");
  require(options.max_queued >= 1, "max_queued must be at least 1");
}

EngineOptions fit_options(EngineOptions options, const ModelInfo& info) {
  check_options(options);
  if (info.num_cross_rows == 0) return options;
  options.enable_prefix_caching = false;
  require(max_sequence_length(options, info.num_cross_rows) >= 2,
          "num_blocks: the KV cache has no room for the model's encoder rows and an answer");
  return options;
}

int32_t max_sequence_length(const EngineOptions& options, int64_t num_cross_rows) {
  const int64_t num_cross_blocks = (num_cross_rows + options.block_size - 1) / options.block_size;
  const int64_t num_slots = (options.num_blocks - num_cross_blocks) * options.block_size;
  return static_cast<int32_t>(std::min<int64_t>(options.max_model_len, num_slots));
}

std::shared_ptr<Request> make_request(EngineRequest input, const Model& model, const EngineOptions& options,
                                      uint64_t fallback_seed) {
  const ModelInfo& info = model.info();
  check_length(input, options, info.num_cross_rows);
  require(input.kind == RequestKind::kGenerate || input.sampling.n == 1,
          "a request without an answer has one result: n must be 1");
  if (input.kind == RequestKind::kAlign) check_alignment(input, info);
  check_sampling(input.sampling, info.vocab_size);
  const auto request = std::make_shared<Request>();
  request->runs = sorted_runs(input.media, static_cast<int32_t>(input.prompt_ids.size()));
  check_media(input, model);
  check_token_ids(input, request->runs, info.vocab_size);
  request->positions = model.positions(input.prompt_ids, input.media);
  for (MediaItem& item : input.media) {
    const int32_t num_rows = info.num_cross_rows > 0 ? static_cast<int32_t>(info.num_cross_rows) : item.num_tokens();
    item.key = encoder_key(item.key, num_rows);
    request->media_bytes.push_back(static_cast<size_t>(num_rows) * static_cast<size_t>(info.embedding_width) * sizeof(float));
  }
  request->media_origins.resize(input.media.size(), MediaOrigin::kUnknown);
  request->stop_ids = stop_ids_of(input.sampling, options);
  request->seed = input.sampling.seed.value_or(fallback_seed);
  request->max_length = max_sequence_length(options, info.num_cross_rows);
  request->num_cross_rows = static_cast<int32_t>(info.num_cross_rows);
  request->short_context = info.short_context;
  request->unforked_indices.resize(static_cast<size_t>(input.sampling.n) - 1);
  std::iota(request->unforked_indices.begin(), request->unforked_indices.end(), 1);
  request->input = std::move(input);
  return request;
}

}  // namespace sensorium
