#pragma once

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/failure.h"
#include "engine/sampler.h"
#include "engine/step_batch.h"

namespace sensorium {

/// The next token of one continuation, or why there is none.
struct Choice {
  int32_t index = 0;
  SampledToken sampled;
  std::optional<Failure> failure;
};

/// What a step made of one scheduled sequence.
struct Outcome {
  ScheduledSequence scheduled;
  std::optional<Failure> failure;  ///< the forward pass failed: nothing was computed
  std::vector<Choice> choices;     ///< when sampled: its own, then one of each unforked continuation
  std::vector<float> embedding;    ///< when sampled, of a pooled request
  // Of a request to be aligned: the queries of all its computed tokens or, when sampled, the result.
  std::vector<float> queries;
  std::vector<int32_t> token_frames;
};

/// Runs the model for a step: encoders, forward passes, sampling. Owns the KV cache and the scratch memory.
class ModelRunner {
 public:
  ModelRunner(std::unique_ptr<Backend> backend, std::unique_ptr<Model> model, const EngineOptions& options);

  const Model& model() const { return *model_; }
  KvCache& kv_cache() { return *kv_cache_; }
  const KvCache& kv_cache() const { return *kv_cache_; }
  /// Encoder rows [num_rows, embedding_width]. Throws what the encoder throws, and kInternal on another number of rows.
  Tensor encode(const EncoderJob& job);
  /// Flattens the scheduled sequences into as few batches as the bound on the logits' memory allows. The encoder rows that
  /// they refer to must stay in use until run() is done.
  std::vector<StepBatch> prepare(std::span<const ScheduledSequence> scheduled, const EncoderCache& encoded) const;
  /// Computes a batch. Does not throw: failures are in the outcomes.
  std::vector<Outcome> run(const StepBatch& batch);
  /// Gives scratch memory back to the system.
  void release_memory();

 private:
  void forward(const StepBatch& batch, std::span<Outcome> outcomes);
  void sample(std::span<Outcome*> outcomes, ConstMatrix logits);
  void pool(const StepBatch& batch, std::span<Outcome> outcomes);
  void align(const StepBatch& batch, Outcome& outcome);

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<KvCache> kv_cache_;
  Arena arena_;
  std::vector<Sampler> samplers_;  ///< one a thread
  int32_t block_size_;
};

}  // namespace sensorium
