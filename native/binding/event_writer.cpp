#include "binding/event_writer.h"

#include <algorithm>

#include "binding/failure.h"

namespace sensorium::binding {
namespace {

const char* finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kAborted:
      return "aborted";
    case FinishReason::kError:
      break;
  }
  return "error";
}

template <typename T>
void set_number(Napi::Object& object, const char* key, T value) {
  object.Set(key, Napi::Number::New(object.Env(), static_cast<double>(value)));
}

Napi::Array write_ids(Napi::Env env, const std::vector<int32_t>& ids) {
  const Napi::Array array = Napi::Array::New(env, ids.size());
  for (uint32_t i = 0; i < ids.size(); ++i) array.Set(i, ids[i]);
  return array;
}

Napi::Object write_logprob(Napi::Env env, const TokenLogprob& logprob) {
  Napi::Object object = Napi::Object::New(env);
  set_number(object, "tokenId", logprob.token_id);
  set_number(object, "logprob", logprob.logprob);
  set_number(object, "rank", logprob.rank);
  const Napi::Array top = Napi::Array::New(env, logprob.top.size());
  for (uint32_t i = 0; i < logprob.top.size(); ++i) {
    const Napi::Array pair = Napi::Array::New(env, 2);
    pair.Set(0U, logprob.top[i].first);
    pair.Set(1U, static_cast<double>(logprob.top[i].second));
    top.Set(i, pair);
  }
  object.Set("top", top);
  return object;
}

Napi::Object write_timings(Napi::Env env, const RequestTimings& timings) {
  Napi::Object object = Napi::Object::New(env);
  set_number(object, "queuedMs", timings.queued_ms);
  set_number(object, "encodeMs", timings.encode_ms);
  set_number(object, "prefillMs", timings.prefill_ms);
  set_number(object, "decodeMs", timings.decode_ms);
  return object;
}

void write_finish(Napi::Object& object, const SequenceEvent& event) {
  object.Set("finishReason", finish_reason_name(*event.finish_reason));
  if (event.stop_token_id) set_number(object, "stopTokenId", *event.stop_token_id);
  if (*event.finish_reason == FinishReason::kError) {
    object.Set("errorMessage", event.error_message);
    object.Set("errorCode", error_code_name(event.error_code));
  }
  object.Set("timings", write_timings(object.Env(), event.timings));
}

Napi::Object write_event(Napi::Env env, const SequenceEvent& event) {
  Napi::Object object = Napi::Object::New(env);
  set_number(object, "requestId", event.request_id);
  set_number(object, "index", event.index);
  object.Set("tokenIds", write_ids(env, event.token_ids));
  if (!event.logprobs.empty()) {
    const Napi::Array logprobs = Napi::Array::New(env, event.logprobs.size());
    for (uint32_t i = 0; i < event.logprobs.size(); ++i) logprobs.Set(i, write_logprob(env, event.logprobs[i]));
    object.Set("logprobs", logprobs);
  }
  set_number(object, "numCachedTokens", event.num_cached_tokens);
  set_number(object, "numCachedMedia", event.num_cached_media);
  if (!event.embedding.empty()) {
    Napi::Float32Array embedding = Napi::Float32Array::New(env, event.embedding.size());
    std::copy(event.embedding.begin(), event.embedding.end(), embedding.Data());
    object.Set("embedding", embedding);
  }
  if (!event.token_frames.empty()) object.Set("tokenFrames", write_ids(env, event.token_frames));
  if (event.finish_reason) write_finish(object, event);
  return object;
}

}  // namespace

Napi::Array write_events(Napi::Env env, const std::vector<SequenceEvent>& events) {
  const Napi::Array array = Napi::Array::New(env, events.size());
  for (uint32_t i = 0; i < events.size(); ++i) {
    const Napi::HandleScope scope(env);
    array.Set(i, write_event(env, events[i]));
  }
  return array;
}

Napi::Object write_stats(Napi::Env env, const EngineStats& stats) {
  Napi::Object object = Napi::Object::New(env);
  set_number(object, "numRunning", stats.num_running);
  set_number(object, "numWaiting", stats.num_waiting);
  set_number(object, "numBlocks", stats.num_blocks);
  set_number(object, "numUsedBlocks", stats.num_used_blocks);
  set_number(object, "prefixQueries", stats.prefix_queries);
  set_number(object, "prefixHits", stats.prefix_hits);
  set_number(object, "prefixEvictions", stats.prefix_evictions);
  set_number(object, "encoderQueries", stats.encoder_queries);
  set_number(object, "encoderHits", stats.encoder_hits);
  set_number(object, "encoderEvictions", stats.encoder_evictions);
  set_number(object, "encoderCacheBytes", stats.encoder_cache_bytes);
  set_number(object, "kvCacheBytes", stats.kv_cache_bytes);
  set_number(object, "prefixCacheBytes", stats.prefix_cache_bytes);
  set_number(object, "weightBytes", stats.weight_bytes);
  set_number(object, "numSteps", stats.num_steps);
  set_number(object, "numPreemptions", stats.num_preemptions);
  set_number(object, "numPromptTokens", stats.num_prompt_tokens);
  set_number(object, "numGeneratedTokens", stats.num_generated_tokens);
  return object;
}

Napi::Object write_model_info(Napi::Env env, const ModelInfo& info) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("architecture", info.architecture);
  object.Set("family", info.family);
  set_number(object, "vocabSize", info.vocab_size);
  set_number(object, "hiddenSize", info.hidden_size);
  set_number(object, "numLayers", info.num_layers);
  set_number(object, "maxPositionEmbeddings", info.max_position_embeddings);
  set_number(object, "numParameters", info.num_parameters);
  set_number(object, "weightBytes", info.weight_bytes);
  object.Set("hasImage", info.has_image);
  object.Set("hasVideo", info.has_video);
  object.Set("hasAudio", info.has_audio);
  object.Freeze();
  return object;
}

Napi::Array write_strings(Napi::Env env, const std::vector<std::string>& strings) {
  Napi::Array array = Napi::Array::New(env, strings.size());
  for (size_t i = 0; i < strings.size(); ++i) array.Set(static_cast<uint32_t>(i), strings[i]);
  return array;
}

}  // namespace sensorium::binding
