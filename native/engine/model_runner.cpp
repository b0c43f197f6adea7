#include "engine/model_runner.h"

#include <algorithm>
#include <atomic>

#include "ops/norm.h"

namespace sensorium {
namespace {

constexpr size_t kMaxLogitsBytes = 128u << 20;

Choice choose(Sampler& sampler, const Sequence& sequence, int32_t index, std::span<const float> logits) {
  const Request& request = *sequence.request;
  const SamplingParams& params = request.input.sampling;
  const auto step = static_cast<int64_t>(sequence.output_ids.size());
  Choice choice;
  choice.index = index;
  try {
    SamplerInput input{params, sequence.history, {}, request.seed, index, step, sequence.output_ids};
    if (step < params.min_tokens) input.banned_ids = request.stop_ids;
    choice.sampled = sampler.sample(logits, input);
  } catch (...) {
    choice.failure = current_failure();
  }
  return choice;
}

}  // namespace

ModelRunner::ModelRunner(std::unique_ptr<Backend> backend, std::unique_ptr<Model> model, const EngineOptions& options)
    : backend_(std::move(backend)),
      model_(std::move(model)),
      kv_cache_(model_->create_kv_cache(*backend_, options.num_blocks, options.block_size)),
      samplers_(static_cast<size_t>(backend_->thread_pool().num_threads())),
      block_size_(options.block_size) {}

Tensor ModelRunner::encode(const EncoderJob& job) {
  const int64_t width = model_->info().embedding_width;
  const Arena::Scope scope(arena_);
  Tensor rows = model_->encode(*job.media, arena_);
  if (rows.shape() != Shape{job.num_rows, width}) {
    throw Error(ErrorCode::kInternal, "the encoder yielded " + shape_to_string(rows.shape()) + ", expected " +
                                          shape_to_string({job.num_rows, width}));
  }
  return rows;
}

std::vector<StepBatch> ModelRunner::prepare(std::span<const ScheduledSequence> scheduled, const EncoderCache& encoded) const {
  const size_t row_bytes = static_cast<size_t>(model_->info().vocab_size) * sizeof(float);
  std::vector<StepBatch> batches;
  for (const auto slice : slice_by_sampled(scheduled, kMaxLogitsBytes / row_bytes)) {
    batches.emplace_back(slice, encoded, model_->info(), block_size_);
  }
  return batches;
}

std::vector<Outcome> ModelRunner::run(const StepBatch& batch) {
  std::vector<Outcome> outcomes;
  for (const ScheduledSequence& scheduled : batch.scheduled()) outcomes.push_back({scheduled, std::nullopt, {}, {}, {}, {}});
  try {
    switch (batch.kind()) {
      case RequestKind::kGenerate:
        forward(batch, outcomes);
        break;
      case RequestKind::kPool:
        pool(batch, outcomes);
        break;
      case RequestKind::kAlign:
        align(batch, outcomes.front());
        break;
    }
  } catch (...) {
    const Failure failure = current_failure();
    for (Outcome& outcome : outcomes) outcome.failure = failure;
  }
  return outcomes;
}

void ModelRunner::forward(const StepBatch& batch, std::span<Outcome> outcomes) {
  const Arena::Scope scope(arena_);
  Matrix logits(nullptr, 0, model_->info().vocab_size);
  if (batch.num_output_rows() > 0) logits = arena_.matrix(batch.num_output_rows(), model_->info().vocab_size);
  model_->forward(batch.view(), *kv_cache_, arena_, logits);
  std::vector<Outcome*> sampled;
  for (Outcome& outcome : outcomes) {
    if (!outcome.scheduled.is_sampled) continue;
    sampled.push_back(&outcome);
    // Here, because the pool's tasks must not throw.
    outcome.choices.reserve(1 + outcome.scheduled.sequence->request->unforked_indices.size());
  }
  sample(sampled, logits);
}

void ModelRunner::pool(const StepBatch& batch, std::span<Outcome> outcomes) {
  const Arena::Scope scope(arena_);
  Matrix hidden(nullptr, 0, model_->info().hidden_size);
  if (batch.num_output_rows() > 0) hidden = arena_.matrix(batch.num_output_rows(), hidden.cols);
  model_->forward_hidden(batch.view(), *kv_cache_, arena_, hidden);
  int64_t row = 0;
  for (Outcome& outcome : outcomes) {
    if (!outcome.scheduled.is_sampled) continue;
    const Matrix own = hidden.row_range(row++, 1);
    if (outcome.scheduled.sequence->request->input.is_normalized) ops::l2_normalize(*backend_, own);
    outcome.embedding.assign(own.data, own.data + own.cols);
  }
}

void ModelRunner::align(const StepBatch& batch, Outcome& outcome) {
  const Arena::Scope scope(arena_);
  const Sequence& sequence = *outcome.scheduled.sequence;
  const AlignmentParams& params = sequence.request->input.alignment;
  const int64_t width = static_cast<int64_t>(params.heads.size()) * model_->info().head_dim;
  const int64_t num_computed = sequence.num_computed_tokens, num_tokens = num_computed + batch.num_tokens();
  std::vector<float> queries = sequence.queries;
  queries.resize(static_cast<size_t>(num_tokens * width));
  const Matrix all(queries.data(), num_tokens, width);
  model_->forward_queries(batch.view(), params.heads, *kv_cache_, arena_, all.row_range(num_computed, batch.num_tokens()));
  if (!outcome.scheduled.is_sampled) {
    outcome.queries = std::move(queries);
    return;
  }
  outcome.token_frames = model_->align({all, params.heads, sequence.cross_block_table, params.num_frames, params.filter_width,
                                        params.first_token, params.num_tokens},
                                       *kv_cache_, arena_);
}

void ModelRunner::sample(std::span<Outcome*> outcomes, ConstMatrix logits) {
  std::atomic<size_t> next_row = 0;
  const auto sample_rows = [&](int thread_index) {
    for (size_t row = next_row++; row < outcomes.size(); row = next_row++) {
      Outcome& outcome = *outcomes[row];
      const Sequence& sequence = *outcome.scheduled.sequence;
      const std::span<const float> row_logits(logits.row(static_cast<int64_t>(row)), static_cast<size_t>(logits.cols));
      Sampler& sampler = samplers_[static_cast<size_t>(thread_index)];
      outcome.choices.push_back(choose(sampler, sequence, sequence.index, row_logits));
      for (const int32_t index : sequence.request->unforked_indices) {
        outcome.choices.push_back(choose(sampler, sequence, index, row_logits));
      }
    }
  };
  if (outcomes.size() > 1) {
    backend_->thread_pool().run(sample_rows);
  } else {
    sample_rows(0);
  }
}

void ModelRunner::release_memory() {
  arena_.release();
  for (Sampler& sampler : samplers_) sampler = Sampler();
}

}  // namespace sensorium
