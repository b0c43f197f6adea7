#include "models/ultravox/audio_tower.h"

#include <algorithm>

#include "core/error.h"

namespace sensorium {
namespace {

constexpr float kProjectorNormEps = 1e-6F;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

Linear load_up(WeightLoader& loader, const UltravoxConfig& config) {
  const LinearSlice slice{"multi_modal_projector.linear_1", config.projector_width};
  const int64_t in_features = config.audio.hidden_size * config.stack_factor;
  return config.is_gated ? Linear::load_gated(loader, in_features, slice, GateHalf::kSecond)
                         : Linear::load(loader, in_features, {slice});
}

Norm load_second_norm(WeightLoader& loader, const UltravoxConfig& config, int64_t inner_width) {
  return config.has_norm_in_middle
             ? Norm::rms(loader, "multi_modal_projector.ln_mid", inner_width, kProjectorNormEps)
             : Norm::rms(loader, "multi_modal_projector.ln_post", config.out_hidden_size, kProjectorNormEps);
}

}  // namespace

UltravoxConfig read_ultravox_config(const ConfigSection& config, int64_t out_hidden_size) {
  UltravoxConfig result;
  result.audio = read_whisper_config(config.section("audio_config"), result.audio);
  result.stack_factor = config.count({"stack_factor"}, result.stack_factor, 1024);
  result.projector_width = config.count({"hidden_size"}, result.projector_width, kMaxWidth);
  result.is_gated = config.text({"projector_act"}, "swiglu") == "swiglu";
  if (!result.is_gated) result.activation = config.activation({"projector_act"}, "swiglu");
  if (result.is_gated && result.projector_width % 2 != 0) config.fail("hidden_size", "expected an even number for swiglu");
  result.has_norm_in_middle = config.flag({"projector_ln_mid"}, false);
  result.out_hidden_size = out_hidden_size;
  return result;
}

UltravoxAudioTower::UltravoxAudioTower(const UltravoxConfig& config, WeightLoader loader)
    : config_(config),
      backend_(loader.backend()),
      encoder_(config.audio, loader.scope("audio_tower")),
      first_norm_(
          Norm::rms(loader, "multi_modal_projector.ln_pre", config.audio.hidden_size * config.stack_factor, kProjectorNormEps)),
      up_(load_up(loader, config)),
      second_norm_(load_second_norm(loader, config, up_.num_columns())),
      down_(Linear::load(loader, up_.num_columns(), {{"multi_modal_projector.linear_2", config.out_hidden_size}})) {}

int64_t UltravoxAudioTower::num_tokens(int64_t num_frames) const { return ceil_div(num_frames, 2 * config_.stack_factor); }

int64_t UltravoxAudioTower::num_rows(const ProcessedMedia& media) const {
  encoder_.check_features(media);
  const int64_t num_frames = media.num_sound_frames, window = encoder_.max_frames();
  const int64_t rest = num_frames % window;
  return num_frames / window * num_tokens(window) + (rest > 0 ? num_tokens(rest) : 0);
}

Tensor UltravoxAudioTower::encode(const ProcessedMedia& media, Arena& arena) const {
  Tensor output({num_rows(media), width()});
  const ConstMatrix mel(media.features.data(), media.features.shape()[0], media.features.shape()[1]);
  const int64_t window = encoder_.max_frames();
  int64_t row = 0;
  for (int64_t begin = 0; begin < media.num_sound_frames; begin += window) {
    const int64_t num_sound_frames = std::min(window, media.num_sound_frames - begin);
    const ConstMatrix piece = mel.row_range(begin, std::min(window, mel.rows - begin));
    const int64_t count = num_tokens(num_sound_frames);
    encode_window(piece, begin == 0 ? piece.rows : window, num_sound_frames, arena,
                  Matrix(output.data() + row * width(), count, width()));
    row += count;
  }
  return output;
}

void UltravoxAudioTower::encode_window(ConstMatrix mel, int64_t num_frames, int64_t num_sound_frames, Arena& arena,
                                       Matrix output) const {
  Arena::Scope scope(arena);
  const int64_t width = config_.audio.hidden_size, num_stacked = output.rows * config_.stack_factor;
  const Matrix stacked = arena.matrix(output.rows, config_.stack_factor * width);
  const Matrix rows(stacked.data, num_stacked, width);
  const int64_t num_rows = std::min(num_stacked, convolved_length(num_frames));
  const Matrix hidden = rows.row_range(0, num_rows);
  encoder_.forward({mel, num_frames, num_rows, convolved_length(num_sound_frames)}, arena, hidden);
  encoder_.normalize(hidden);
  std::fill_n(rows.row(num_rows), (num_stacked - num_rows) * width, 0.0F);
  project(stacked, arena, output);
}

void UltravoxAudioTower::project(ConstMatrix stacked, Arena& arena, Matrix output) const {
  Arena::Scope scope(arena);
  const Matrix normed = arena.matrix(stacked.rows, stacked.cols);
  first_norm_.forward(backend_, stacked, normed);
  const Matrix inner = arena.matrix(stacked.rows, up_.num_columns());
  up_.forward(backend_, normed, inner, {config_.activation, {}});
  if (config_.has_norm_in_middle) second_norm_.forward(backend_, inner, inner);
  down_.forward(backend_, inner, output);
  if (!config_.has_norm_in_middle) second_norm_.forward(backend_, output, output);
}

}  // namespace sensorium
