#pragma once

#include <condition_variable>
#include <map>
#include <mutex>

#include "engine/engine.h"
#include "fake_model.h"

/// An engine over the fake model, and what came out of it.
namespace engine_testing {

using namespace sensorium;

/// All news of one continuation.
struct Answer {
  std::vector<int32_t> token_ids;
  std::vector<TokenLogprob> logprobs;
  int num_finishes = 0;
  int num_events_after_finish = 0;
  SequenceEvent last;
};

class Harness {
 public:
  explicit Harness(const EngineOptions& options)
      : Harness(std::make_unique<fake::FakeBackend>(), nullptr, options, std::make_shared<fake::Counters>()) {}
  Harness(std::unique_ptr<Backend> backend, std::unique_ptr<Model> model, const EngineOptions& options,
          std::shared_ptr<fake::Counters> shared = nullptr)
      : counters(std::move(shared)) {
    if (!model) model = std::make_unique<fake::FakeModel>(counters);
    engine = std::make_unique<Engine>(std::move(backend), std::move(model), options,
                                      [this](std::vector<SequenceEvent>&& events) { take(std::move(events)); });
  }

  /// Blocks until continuation `index` of the request has ended.
  Answer wait(uint64_t request_id, int32_t index = 0) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answers_[{request_id, index}].num_finishes > 0; });
    return answers_[{request_id, index}];
  }
  /// Blocks until the continuation has yielded `count` tokens or ended.
  void wait_for_tokens(uint64_t request_id, size_t count, int32_t index = 0) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      const Answer& answer = answers_[{request_id, index}];
      return answer.num_finishes > 0 || answer.token_ids.size() >= count;
    });
  }
  Answer run(const EngineRequest& request) {
    engine->submit(request);
    return wait(request.id);
  }
  std::map<std::pair<uint64_t, int32_t>, Answer> answers() {
    const std::lock_guard lock(mutex_);
    return answers_;
  }

  std::shared_ptr<fake::Counters> counters;  ///< of the fake model

 private:
  void take(std::vector<SequenceEvent>&& events) {
    const std::lock_guard lock(mutex_);
    for (SequenceEvent& event : events) {
      Answer& answer = answers_[{event.request_id, event.index}];
      if (answer.num_finishes > 0) answer.num_events_after_finish++;
      answer.token_ids.insert(answer.token_ids.end(), event.token_ids.begin(), event.token_ids.end());
      answer.logprobs.insert(answer.logprobs.end(), event.logprobs.begin(), event.logprobs.end());
      answer.num_finishes += event.finish_reason ? 1 : 0;
      answer.last = std::move(event);
    }
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<uint64_t, int32_t>, Answer> answers_;

 public:
  std::unique_ptr<Engine> engine;  ///< last: its thread uses the members above
};

inline EngineOptions small_options() {
  EngineOptions options;
  options.max_num_seqs = 4;
  options.max_num_batched_tokens = 16;
  options.max_model_len = 64;
  options.block_size = 4;
  options.num_blocks = 64;
  options.eos_token_ids = {fake::kEosId};
  return options;
}

/// A greedy request for `max_tokens` tokens.
inline EngineRequest text_request(uint64_t id, std::vector<int32_t> prompt, int32_t max_tokens = 8) {
  EngineRequest request;
  request.id = id;
  request.prompt_ids = std::move(prompt);
  request.sampling.temperature = 0;
  request.sampling.max_tokens = max_tokens;
  request.sampling.ignore_eos = true;
  return request;
}

/// `count` distinct looking token ids.
inline std::vector<int32_t> tokens(int32_t count, int32_t first = 10) {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < count; ++i) ids.push_back(10 + (first + i * 7) % 70);
  return ids;
}

/// Appends placeholders and an item of `rows` rows.
inline void append_media(EngineRequest& request, const std::string& key, int32_t rows, float content) {
  MediaItem item;
  item.key = key;
  item.media = fake::make_media(rows, content);
  item.runs = {{static_cast<int32_t>(request.prompt_ids.size()), rows}};
  request.media.push_back(std::move(item));
  request.prompt_ids.insert(request.prompt_ids.end(), static_cast<size_t>(rows), fake::kPlaceholderId);
}

inline void append_text(EngineRequest& request, int32_t count, int32_t first = 10) {
  for (const int32_t token : tokens(count, first)) request.prompt_ids.push_back(token);
}

}  // namespace engine_testing
