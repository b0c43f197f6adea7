#pragma once

#include <memory>

#include "core/arena.h"
#include "layers/linear.h"
#include "layers/norm.h"

namespace sensorium {

/// Learned queries that attend to a picture's patches: as many rows whatever the picture's size.
class Resampler {
 public:
  struct Size {
    int64_t num_queries = 64;
    int64_t vision_width = 0;
    int64_t text_width = 0;  ///< a multiple of its heads' width
  };

  /// Reads query, kv_proj, ln_q, ln_kv, attn.{in_proj_weight, in_proj_bias, out_proj}, ln_post and proj.
  Resampler(const Size& size, WeightLoader loader);

  const Size& size() const { return size_; }
  /// patches [height * width, vision_width], output [num_queries, text_width].
  void forward(ConstMatrix patches, int64_t height, int64_t width, Arena& arena, Matrix output) const;

 private:
  Size size_;
  Backend& backend_;
  Tensor query_;  ///< [num_queries, text_width], normed
  Linear kv_;
  Norm kv_norm_;
  Linear q_in_, k_in_, v_in_, out_;
  Norm post_norm_;
  Linear projection_;
};

}  // namespace sensorium
