#include "models/mrope/mrope_positions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "core/error.h"

namespace sensorium {
namespace {

struct Position {
  float t = 0.0F, h = 0.0F, w = 0.0F;
  float max() const { return std::max({t, h, w}); }
};

[[noreturn]] void fail(size_t item, const std::string& what) {
  throw Error(ErrorCode::kInvalidArgument, "media item " + std::to_string(item) + ": " + what);
}

/// Merged cells of a picture or clip, counted from 0 at its start.
class Grid {
 public:
  Grid(const ProcessedMedia& media, const MropeRules& rules)
      : height_(media.grid_h / rules.merge_size), width_(media.grid_w / rules.merge_size) {
    ids_per_patch_.resize(static_cast<size_t>(media.grid_t));
    for (int32_t t = 0; t < media.grid_t; ++t) ids_per_patch_[static_cast<size_t>(t)] = time_id(media, rules, t);
  }
  int64_t num_cells() const { return static_cast<int64_t>(ids_per_patch_.size()) * height_ * width_; }
  Position cell(int64_t index, float start) const {
    const int64_t in_frame = index % (height_ * width_);
    return {start + ids_per_patch_[static_cast<size_t>(index / (height_ * width_))],
            start + static_cast<float>(in_frame / width_), start + static_cast<float>(in_frame % width_)};
  }

 private:
  static float time_id(const ProcessedMedia& media, const MropeRules& rules, int32_t t) {
    const auto patch = static_cast<float>(t);
    if (rules.has_split_videos) return 0.0F;
    if (!rules.ids_per_second || media.modality == Modality::kImage) return patch;
    const float id = patch * media.seconds_per_grid * *rules.ids_per_second;  // float32, as the families do
    return rules.has_fractional_time ? id : std::trunc(id);
  }

  int64_t height_, width_;
  std::vector<float> ids_per_patch_;
};

class PositionWriter {
 public:
  explicit PositionWriter(size_t num_tokens) {
    for (std::vector<float>* axis : {&positions_.t, &positions_.h, &positions_.w}) axis->reserve(num_tokens);
  }
  size_t num_tokens() const { return positions_.t.size(); }
  float next() const { return next_; }
  void set_next(float next) { next_ = next; }

  void push(const Position& position) {
    positions_.t.push_back(position.t);
    positions_.h.push_back(position.h);
    positions_.w.push_back(position.w);
    max_ = std::max(max_, position.max());
  }
  void push_text(int64_t count) {
    for (int64_t i = 0; i < count; ++i, next_ += 1.0F) push({next_, next_, next_});
  }
  PromptPositions finish() && {
    positions_.delta = max_ + 1.0F - static_cast<float>(num_tokens());
    return std::move(positions_);
  }

 private:
  PromptPositions positions_;
  float next_ = 0.0F;
  float max_ = -1.0F;
};

int32_t placeholder_id(const MropeRules& rules, Modality modality, size_t item) {
  if (modality == Modality::kImage) return rules.image_token_id;
  if (modality == Modality::kVideo) return rules.video_token_id;
  if (!rules.audio_token_id) fail(item, "this model takes no sound");
  return *rules.audio_token_id;
}

void check_runs(std::span<const int32_t> prompt_ids, const MediaItem& media, const MropeRules& rules, size_t item) {
  if (media.media == nullptr || media.runs.empty()) fail(item, "it has no content or no placeholder run");
  const int32_t expected = placeholder_id(rules, media.media->modality, item);
  int64_t end = 0;
  for (const TokenRun& run : media.runs) {
    const int64_t run_end = static_cast<int64_t>(run.offset) + run.count;
    if (run.count <= 0 || run.offset < end || run_end > static_cast<int64_t>(prompt_ids.size())) {
      fail(item, "its placeholder runs are empty, out of order or outside the prompt");
    }
    for (int64_t i = run.offset; i < run_end; ++i) {
      if (prompt_ids[static_cast<size_t>(i)] != expected) {
        fail(item, "token " + std::to_string(i) + " is not the placeholder " + std::to_string(expected));
      }
    }
    end = run_end;
  }
}

Grid checked_grid(const MediaItem& media, const MropeRules& rules, size_t item) {
  const ProcessedMedia& content = *media.media;
  const bool is_positive = content.grid_t > 0 && content.grid_h > 0 && content.grid_w > 0;
  if (!is_positive || content.grid_h % rules.merge_size != 0 || content.grid_w % rules.merge_size != 0) {
    fail(item, "its grid of patches is empty or no multiple of the merge size");
  }
  if (!std::isfinite(content.seconds_per_grid) || content.seconds_per_grid < 0.0F) {
    fail(item, "its seconds per temporal patch are negative or not finite");
  }
  const double num_cells =
      static_cast<double>(content.grid_t) * (content.grid_h / rules.merge_size) * (content.grid_w / rules.merge_size);
  if (num_cells != media.num_tokens()) {
    fail(item, "its grid " + shape_to_string({content.grid_t, content.grid_h, content.grid_w}) +
                   " does not yield as many tokens as its placeholders, " + std::to_string(media.num_tokens()));
  }
  return {content, rules};
}

void push_text_until(PositionWriter& writer, const TokenRun& run, size_t item) {
  const int64_t count = run.offset - static_cast<int64_t>(writer.num_tokens());
  if (count < 0) fail(item, "its placeholders overlap those of an earlier item");
  writer.push_text(count);
}

/// Cells [first, first + run.count) of a grid, from where the text before the run ends.
void push_block(PositionWriter& writer, const Grid& grid, int64_t first, const TokenRun& run, size_t item) {
  push_text_until(writer, run, item);
  const float start = writer.next();
  float block_max = start;
  for (int64_t i = first; i < first + run.count; ++i) {
    const Position position = grid.cell(i, start);
    block_max = std::max(block_max, position.max());
    writer.push(position);
  }
  writer.set_next(block_max + 1.0F);
}

/// A clip of which each run is one temporal patch.
void push_split_video(PositionWriter& writer, const MediaItem& media, const MropeRules& rules, size_t item) {
  const Grid grid = checked_grid(media, rules, item);
  const auto num_runs = static_cast<int64_t>(media.runs.size());
  int64_t first = 0;
  for (const TokenRun& run : media.runs) {
    if (num_runs != media.media->grid_t || run.count * num_runs != grid.num_cells()) {
      fail(item, "expected a placeholder run for each of its " + std::to_string(media.media->grid_t) + " temporal patches");
    }
    push_block(writer, grid, first, run, item);
    first += run.count;
  }
}

void push_item(PositionWriter& writer, const MediaItem& media, const MropeRules& rules, size_t item) {
  if (media.media->modality == Modality::kVideo && rules.has_split_videos) {
    return push_split_video(writer, media, rules, item);
  }
  if (media.runs.size() != 1) fail(item, "its placeholders are split, but it is not interleaved with sound");
  if (media.media->modality != Modality::kAudio) {
    return push_block(writer, checked_grid(media, rules, item), 0, media.runs.front(), item);
  }
  push_text_until(writer, media.runs.front(), item);
  writer.push_text(media.runs.front().count);
}

struct StreamRun {
  TokenRun run;
  bool is_video = false;
};

std::vector<StreamRun> runs_in_order(const MediaItem& video, const MediaItem& audio, size_t item) {
  std::vector<StreamRun> runs;
  for (const TokenRun& run : video.runs) runs.push_back({run, true});
  for (const TokenRun& run : audio.runs) runs.push_back({run, false});
  std::sort(runs.begin(), runs.end(), [](const StreamRun& a, const StreamRun& b) { return a.run.offset < b.run.offset; });
  for (size_t i = 1; i < runs.size(); ++i) {
    if (runs[i].run.offset != runs[i - 1].run.offset + runs[i - 1].run.count) {
      fail(item, "its placeholders and those of its sound do not join");
    }
  }
  return runs;
}

/// `<vision start><audio start>` video and sound in pieces `<audio end><vision end>`.
void push_interleaved(PositionWriter& writer, std::span<const int32_t> prompt_ids, const MediaItem& video,
                      const MediaItem& audio, const MropeRules& rules, size_t item) {
  const Grid grid = checked_grid(video, rules, item);
  const std::vector<StreamRun> runs = runs_in_order(video, audio, item);
  if (runs.front().run.offset < static_cast<int64_t>(writer.num_tokens()) + 2 ||
      static_cast<size_t>(runs.back().run.offset) + static_cast<size_t>(runs.back().run.count) + 2 > prompt_ids.size()) {
    fail(item, "two start tokens before and two end tokens after the clip and its sound are missing");
  }
  if (rules.has_shared_borders) {
    push_text_until(writer, {runs.front().run.offset - 1, 1}, item);
    const float start_token = writer.next() - 1.0F;
    writer.push({start_token, start_token, start_token});
  } else {
    push_text_until(writer, runs.front().run, item);
  }
  const float start = writer.next();
  int64_t num_video = 0, num_audio = 0;
  float piece_max = start;
  for (const StreamRun& piece : runs) {
    piece_max = 0.0F;
    for (int32_t i = 0; i < piece.run.count; ++i) {
      const float heard = start + static_cast<float>(num_audio);
      const Position position = piece.is_video ? grid.cell(num_video, start) : Position{heard, heard, heard};
      (piece.is_video ? num_video : num_audio)++;
      piece_max = std::max(piece_max, position.max());
      writer.push(position);
    }
  }
  const float end_token = piece_max + 1.0F;
  writer.set_next(end_token);
  if (rules.has_shared_borders) writer.push({end_token, end_token, end_token});
  writer.push_text(rules.has_shared_borders ? 1 : 2);
}

}  // namespace

PromptPositions mrope_positions(std::span<const int32_t> prompt_ids, std::span<const MediaItem> media,
                                const MropeRules& rules) {
  for (size_t i = 0; i < media.size(); ++i) check_runs(prompt_ids, media[i], rules, i);
  PositionWriter writer(prompt_ids.size());
  for (size_t i = 0; i < media.size(); ++i) {
    if (!media[i].is_interleaved_with_audio) {
      push_item(writer, media[i], rules, i);
      continue;
    }
    if (media[i].media->modality != Modality::kVideo || i + 1 == media.size() ||
        media[i + 1].media->modality != Modality::kAudio) {
      fail(i, "a clip interleaved with its sound must be followed by that sound");
    }
    push_interleaved(writer, prompt_ids, media[i], media[i + 1], rules, i);
    ++i;
  }
  writer.push_text(static_cast<int64_t>(prompt_ids.size() - writer.num_tokens()));
  return std::move(writer).finish();
}

PromptPositions sequential_positions(size_t num_tokens) {
  PositionWriter writer(num_tokens);
  writer.push_text(static_cast<int64_t>(num_tokens));
  return std::move(writer).finish();
}

}  // namespace sensorium
