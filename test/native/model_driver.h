#pragma once

#include <algorithm>
#include <memory>
#include <span>
#include <vector>

#include "models/model.h"

/// Drives a Model step by step without the engine: prompts in chunks, several sequences in a step, decoding.
namespace sensorium::testing {

constexpr int64_t kBlockSize = 16;

/// A prompt with its positions and encoder rows.
struct Prompt {
  std::vector<int32_t> ids;
  PromptPositions positions;
  struct Rows {
    TokenRun run;
    std::vector<float> values;  ///< [run.count, width]
  };
  std::vector<Rows> media_rows;
  std::vector<float> cross_rows;  ///< [num_cross_rows, width] of an encoder-decoder model
};

/// One sequence's state in the cache. Blocks lie in descending order, so that no kernel can lean on their order.
struct Sequence {
  const Prompt* prompt = nullptr;
  std::vector<int32_t> ids;  ///< prompt and what was decoded
  int32_t num_done = 0;      ///< tokens in the cache
  std::vector<int32_t> block_table;
  std::vector<int32_t> cross_block_table;
};

class Driver {
 public:
  Driver(Model& model, Backend& backend, int64_t max_tokens, int32_t num_sequences = 1)
      : model_(model),
        num_cross_blocks_(num_blocks(model.info().num_cross_rows)),
        blocks_per_sequence_(num_blocks(max_tokens) + num_cross_blocks_),
        cache_(model.create_kv_cache(backend, int64_t{blocks_per_sequence_} * num_sequences, kBlockSize)) {}

  Sequence start(const Prompt& prompt) {
    Sequence sequence{&prompt, prompt.ids, 0, {}, {}};
    const int32_t first = blocks_per_sequence_ * num_started_++;
    for (int32_t i = blocks_per_sequence_ - 1; i >= num_cross_blocks_; --i) sequence.block_table.push_back(first + i);
    for (int32_t i = num_cross_blocks_ - 1; i >= 0; --i) sequence.cross_block_table.push_back(first + i);
    return sequence;
  }

  /// Puts the next `counts[i]` tokens of each sequence through one step; logits of each sequence's last token of the step, or
  /// hidden states of all the step's tokens.
  std::vector<float> step(std::span<Sequence* const> sequences, std::span<const int32_t> counts, bool wants_hidden = false) {
    Step built = build(sequences, counts, wants_hidden);
    const int64_t width = wants_hidden ? model_.info().hidden_size : model_.info().vocab_size;
    const auto num_rows = static_cast<int64_t>(built.output_rows.size());
    std::vector<float> output(static_cast<size_t>(num_rows * width));
    const Matrix matrix(output.data(), num_rows, width);
    const ForwardBatch batch{built.ids,      built.t,           built.h,
                             built.w,        built.slots,       built.sequences,
                             built.overlays, built.output_rows, built.context_lengths,
                             built.cross};
    if (wants_hidden) {
      model_.forward_hidden(batch, *cache_, arena_, matrix);
    } else {
      model_.forward(batch, *cache_, arena_, matrix);
    }
    for (size_t i = 0; i < sequences.size(); ++i) sequences[i]->num_done += counts[i];
    return output;
  }

  std::vector<float> step(Sequence& sequence, int32_t count, bool wants_hidden = false) {
    Sequence* const one = &sequence;
    return step({&one, 1}, {&count, 1}, wants_hidden);
  }

  /// The token that was chosen last: one step, or all again where it makes the sequence one of a long context.
  std::vector<float> decode(Sequence& sequence) {
    const std::optional<int64_t> short_context = model_.info().short_context;
    if (short_context && std::ssize(sequence.ids) == *short_context + 1) sequence.num_done = 0;
    return step(sequence, static_cast<int32_t>(sequence.ids.size()) - sequence.num_done);
  }

  /// The whole prompt in chunks; logits of its last token.
  std::vector<float> prefill(Sequence& sequence, int32_t chunk) {
    std::vector<float> logits;
    const auto length = static_cast<int32_t>(sequence.prompt->ids.size());
    while (sequence.num_done < length) logits = step(sequence, std::min(chunk, length - sequence.num_done));
    return logits;
  }

 private:
  struct Step {
    std::vector<int32_t> ids, slots, output_rows, context_lengths;
    std::vector<float> t, h, w;
    std::vector<PagedSequence> sequences;
    std::vector<EmbeddingOverlay> overlays;
    std::vector<CrossSource> cross;
  };

  Step build(std::span<Sequence* const> sequences, std::span<const int32_t> counts, bool wants_all_rows) const {
    Step step;
    for (size_t s = 0; s < sequences.size(); ++s) {
      const Sequence& sequence = *sequences[s];
      const auto row_begin = static_cast<int32_t>(step.ids.size());
      const int32_t begin = sequence.num_done, end = begin + counts[s];
      for (int32_t i = begin; i < end; ++i) push_token(sequence, i, step);
      step.context_lengths.push_back(static_cast<int32_t>(sequence.ids.size()));
      step.sequences.push_back({row_begin, counts[s], end, sequence.block_table});
      push_overlays(*sequence.prompt, begin, end, row_begin, step);
      if (num_cross_blocks_ > 0) step.cross.push_back(cross_of(sequence));
      for (int32_t i = wants_all_rows ? 0 : counts[s] - 1; i < counts[s]; ++i) step.output_rows.push_back(row_begin + i);
    }
    return step;
  }

  static int32_t num_blocks(int64_t num_rows) { return static_cast<int32_t>((num_rows + kBlockSize - 1) / kBlockSize); }

  CrossSource cross_of(const Sequence& sequence) const {
    CrossSource source{sequence.cross_block_table, static_cast<int32_t>(model_.info().num_cross_rows), {}};
    if (sequence.num_done == 0) {
      source.rows = ConstMatrix(sequence.prompt->cross_rows.data(), source.num_rows, model_.info().embedding_width);
    }
    return source;
  }

  static void push_token(const Sequence& sequence, int32_t index, Step& step) {
    const PromptPositions& positions = sequence.prompt->positions;
    const auto i = static_cast<size_t>(index);
    const bool is_prompt = i < positions.t.size();
    const float decoded = static_cast<float>(index) + positions.delta;
    step.ids.push_back(sequence.ids[i]);
    step.t.push_back(is_prompt ? positions.t[i] : decoded);
    step.h.push_back(is_prompt ? positions.h[i] : decoded);
    step.w.push_back(is_prompt ? positions.w[i] : decoded);
    const int32_t block = sequence.block_table[i / kBlockSize];
    step.slots.push_back(block * static_cast<int32_t>(kBlockSize) + index % static_cast<int32_t>(kBlockSize));
  }

  void push_overlays(const Prompt& prompt, int32_t begin, int32_t end, int32_t row_begin, Step& step) const {
    const int64_t width = model_.info().embedding_width;
    for (const Prompt::Rows& rows : prompt.media_rows) {
      const int32_t first = std::max(rows.run.offset, begin), last = std::min(rows.run.offset + rows.run.count, end);
      if (first >= last) continue;
      step.overlays.push_back({row_begin + first - begin,
                               ConstMatrix(rows.values.data() + (first - rows.run.offset) * width, last - first, width)});
    }
  }

  Model& model_;
  int32_t num_cross_blocks_;
  int32_t blocks_per_sequence_;
  int32_t num_started_ = 0;
  std::unique_ptr<KvCache> cache_;
  Arena arena_;
};

}  // namespace sensorium::testing
