#include "engine/sequence.h"

#include <algorithm>
#include <bit>
#include <string>

namespace sensorium {

int32_t Request::num_cached_media() const {
  return static_cast<int32_t>(std::count(media_origins.begin(), media_origins.end(), MediaOrigin::kCached));
}

std::vector<MediaRun> sorted_runs(const std::vector<MediaItem>& media, int32_t prompt_length) {
  std::vector<MediaRun> runs;
  for (size_t item = 0; item < media.size(); ++item) {
    int32_t row = 0;
    int32_t end = 0;
    for (const TokenRun& run : media[item].runs) {
      if (run.count < 1 || run.offset < end || run.offset >= prompt_length || run.count > prompt_length - run.offset) {
        throw Error(ErrorCode::kInvalidArgument, "media item " + std::to_string(item) + ": placeholder run at " +
                                                     std::to_string(run.offset) + " of " + std::to_string(run.count) +
                                                     " tokens does not lie in order in the prompt of " +
                                                     std::to_string(prompt_length));
      }
      runs.push_back({run.offset, run.count, static_cast<int32_t>(item), row});
      row += run.count;
      end = run.offset + run.count;
    }
  }
  std::sort(runs.begin(), runs.end(), [](const MediaRun& a, const MediaRun& b) { return a.offset < b.offset; });
  for (size_t i = 1; i < runs.size(); ++i) {
    if (runs[i].offset < runs[i - 1].offset + runs[i - 1].count) {
      throw Error(ErrorCode::kInvalidArgument, "media items " + std::to_string(runs[i - 1].item) + " and " +
                                                   std::to_string(runs[i].item) + ": placeholder runs overlap at token " +
                                                   std::to_string(runs[i].offset));
    }
  }
  return runs;
}

std::span<const MediaRun> overlapping_runs(const Request& request, int32_t begin, int32_t end) {
  const auto& runs = request.runs;
  const auto first =
      std::partition_point(runs.begin(), runs.end(), [&](const MediaRun& run) { return run.offset + run.count <= begin; });
  const auto last = std::partition_point(first, runs.end(), [&](const MediaRun& run) { return run.offset < end; });
  return {first, last};
}

BlockKey block_key(const Sequence& sequence, int32_t block_index, int32_t block_size, uint64_t parent_id) {
  const int32_t begin = block_index * block_size;
  BlockKey key;
  key.parent_id = parent_id;
  if (block_index == 0) key.cache_salt = sequence.request->input.cache_salt;
  key.is_long_context = sequence.is_long_context();
  key.token_ids.reserve(static_cast<size_t>(block_size));
  key.position_bits.reserve(3 * static_cast<size_t>(block_size));
  for (int32_t i = begin; i < begin + block_size; ++i) {
    key.token_ids.push_back(sequence.token(i));
    const TokenPosition position = sequence.position(i);
    for (const float axis : {position.t, position.h, position.w}) key.position_bits.push_back(std::bit_cast<uint32_t>(axis));
  }
  for (const MediaRun& run : overlapping_runs(*sequence.request, begin, begin + block_size)) {
    const MediaItem& item = sequence.request->input.media[static_cast<size_t>(run.item)];
    const int32_t first = std::max(begin, run.offset);
    const int32_t last = std::min(begin + block_size, run.offset + run.count);
    key.media.push_back({item.key, first - begin, last - first, run.row_begin + first - run.offset});
  }
  return key;
}

}  // namespace sensorium
