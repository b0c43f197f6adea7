#include "engine/step_batch.h"

#include <algorithm>

namespace sensorium {
namespace {

/// Whether one forward pass serves both.
bool can_join(const ScheduledSequence& a, const ScheduledSequence& b) {
  const RequestKind kind = a.sequence->request->input.kind;
  return kind != RequestKind::kAlign && kind == b.sequence->request->input.kind;
}

}  // namespace

StepBatch::StepBatch(std::span<const ScheduledSequence> scheduled, const EncoderCache& encoded, const ModelInfo& info,
                     int32_t block_size)
    : scheduled_(scheduled) {
  for (const ScheduledSequence& entry : scheduled) {
    add_overlays(entry, static_cast<int32_t>(token_ids_.size()), encoded);
    if (info.num_cross_rows > 0) add_cross(*entry.sequence, encoded);
    add(entry, block_size, info.vocab_size);
  }
}

void StepBatch::add(const ScheduledSequence& scheduled, int32_t block_size, int64_t vocab_size) {
  const Sequence& sequence = *scheduled.sequence;
  const int32_t begin = sequence.num_computed_tokens;
  const int32_t end = begin + scheduled.num_tokens;
  sequences_.push_back({static_cast<int32_t>(token_ids_.size()), scheduled.num_tokens, end, sequence.block_table});
  context_lengths_.push_back(sequence.num_tokens());
  for (int32_t i = begin; i < end; ++i) {
    // A placeholder's id may lie beyond the vocabulary: an overlay replaces its embedding.
    const int32_t token_id = sequence.token(i);
    token_ids_.push_back(token_id < vocab_size ? token_id : 0);
    slots_.push_back(sequence.block_table[static_cast<size_t>(i / block_size)] * block_size + i % block_size);
    const TokenPosition position = sequence.position(i);
    positions_t_.push_back(position.t);
    positions_h_.push_back(position.h);
    positions_w_.push_back(position.w);
  }
  if (scheduled.is_sampled) output_rows_.push_back(static_cast<int32_t>(token_ids_.size()) - 1);
}

/// The first tokens of a sequence bring the encoder rows with them.
void StepBatch::add_cross(const Sequence& sequence, const EncoderCache& encoded) {
  CrossSource source{sequence.cross_block_table, sequence.request->num_cross_rows, {}};
  if (sequence.num_computed_tokens == 0) {
    const Tensor& rows = encoded.rows(sequence.request->input.media.front().key);
    source.rows = ConstMatrix(rows.data(), rows.shape()[0], rows.shape()[1]);
  }
  cross_.push_back(source);
}

void StepBatch::add_overlays(const ScheduledSequence& scheduled, int32_t query_begin, const EncoderCache& encoded) {
  const Sequence& sequence = *scheduled.sequence;
  const int32_t begin = sequence.num_computed_tokens;
  const int32_t end = begin + scheduled.num_tokens;
  for (const MediaRun& run : overlapping_runs(*sequence.request, begin, end)) {
    const Tensor& rows = encoded.rows(sequence.request->input.media[static_cast<size_t>(run.item)].key);
    const int32_t first = std::max(begin, run.offset);
    const int32_t last = std::min(end, run.offset + run.count);
    const ConstMatrix all(rows.data(), rows.shape()[0], rows.shape()[1]);
    overlays_.push_back({query_begin + first - begin, all.row_range(run.row_begin + first - run.offset, last - first)});
  }
}

ForwardBatch StepBatch::view() const {
  return {token_ids_, positions_t_, positions_h_, positions_w_,     slots_,
          sequences_, overlays_,    output_rows_, context_lengths_, cross_};
}

std::vector<std::span<const ScheduledSequence>> slice_by_sampled(std::span<const ScheduledSequence> scheduled,
                                                                 size_t max_sampled) {
  std::vector<std::span<const ScheduledSequence>> slices;
  size_t begin = 0, num_sampled = 0;
  for (size_t i = 0; i < scheduled.size(); ++i) {
    const bool is_full = scheduled[i].is_sampled && num_sampled == std::max<size_t>(max_sampled, 1);
    if (is_full || (i > begin && !can_join(scheduled[begin], scheduled[i]))) {
      slices.push_back(scheduled.subspan(begin, i - begin));
      begin = i;
      num_sampled = 0;
    }
    num_sampled += scheduled[i].is_sampled ? 1 : 0;
  }
  if (begin < scheduled.size()) slices.push_back(scheduled.subspan(begin));
  return slices;
}

}  // namespace sensorium
