#pragma once

#include <span>
#include <vector>

#include "engine/encoder_cache.h"
#include "engine/scheduler.h"

namespace sensorium {

/// The flattened tokens of some scheduled sequences, owned.
class StepBatch {
 public:
  /// The scheduled sequences, their block tables and the cache's rows must live as long as the batch.
  StepBatch(std::span<const ScheduledSequence> scheduled, const EncoderCache& encoded, const ModelInfo& info,
            int32_t block_size);

  ForwardBatch view() const;
  std::span<const ScheduledSequence> scheduled() const { return scheduled_; }
  /// What all its requests ask for.
  RequestKind kind() const { return scheduled_.front().sequence->request->input.kind; }
  int64_t num_tokens() const { return static_cast<int64_t>(token_ids_.size()); }
  int64_t num_output_rows() const { return static_cast<int64_t>(output_rows_.size()); }

 private:
  void add(const ScheduledSequence& scheduled, int32_t block_size, int64_t vocab_size);
  void add_cross(const Sequence& sequence, const EncoderCache& encoded);
  void add_overlays(const ScheduledSequence& scheduled, int32_t query_begin, const EncoderCache& encoded);

  std::span<const ScheduledSequence> scheduled_;
  std::vector<int32_t> token_ids_, slots_, output_rows_, context_lengths_;
  std::vector<float> positions_t_, positions_h_, positions_w_;
  std::vector<PagedSequence> sequences_;
  std::vector<EmbeddingOverlay> overlays_;
  std::vector<CrossSource> cross_;
};

/// Cuts a step into pieces with at most `max_sampled` sampled sequences each, so that the buffer of logits is bounded, and of
/// requests of one kind; what is to be aligned stands alone.
std::vector<std::span<const ScheduledSequence>> slice_by_sampled(std::span<const ScheduledSequence> scheduled,
                                                                 size_t max_sampled);

}  // namespace sensorium
