#include "binding/engine_loader.h"

#include <algorithm>
#include <utility>

#include "binding/memory_limit.h"
#include "core/error.h"

namespace sensorium::binding {
namespace {

std::string mebibytes(int64_t num_bytes) { return std::to_string((num_bytes + (1 << 20) - 1) >> 20) + " MiB"; }

int32_t decide_max_model_len(int32_t wanted, const ModelInfo& info) {
  const auto limit = static_cast<int32_t>(std::min<int64_t>(info.max_position_embeddings, INT32_MAX));
  if (wanted == 0) return limit;
  if (wanted > limit) {
    throw Error(ErrorCode::kInvalidArgument,
                "maxModelLen of " + std::to_string(wanted) + " exceeds the model's " + std::to_string(limit) + " positions");
  }
  return wanted;
}

/// Blocks of the KV cache; options.engine.max_model_len is decided already.
int64_t decide_num_blocks(const LoadOptions& options, const ModelInfo& info) {
  const int64_t block_size = options.engine.block_size;
  const int64_t token_bytes =
      2 * info.num_layers * info.num_kv_heads * info.head_dim * static_cast<int64_t>(dtype_size(options.backend.compute_dtype));
  const int64_t block_bytes = block_size * token_bytes;
  const int64_t context_blocks =
      (options.engine.max_model_len + block_size - 1) / block_size + (info.num_cross_rows + block_size - 1) / block_size;
  const int64_t wanted_blocks = context_blocks * options.engine.max_num_seqs;
  const auto limit_bytes = static_cast<int64_t>(options.kv_cache_bytes.value_or(memory_limit_bytes() / 4));
  const int64_t limit_blocks = limit_bytes / block_bytes;
  if (limit_blocks < context_blocks) {
    throw Error(options.kv_cache_bytes ? ErrorCode::kInvalidArgument : ErrorCode::kOutOfMemory,
                "a KV cache of " + mebibytes(limit_bytes) + " holds " + std::to_string(limit_blocks * block_size) +
                    " tokens, but one context of maxModelLen " + std::to_string(options.engine.max_model_len) + " needs " +
                    mebibytes(context_blocks * block_bytes) + "; lower maxModelLen or raise kvCacheBytes");
  }
  return options.kv_cache_bytes ? limit_blocks : std::min(limit_blocks, wanted_blocks);
}

}  // namespace

LoadedEngine load_engine(LoadOptions options, const LoadProgress& progress, Engine::EventSink sink) {
  std::unique_ptr<Backend> backend = create_cpu_backend(options.backend);
  LoadedEngine loaded;
  std::unique_ptr<Model> model = load_model(options.model, *backend, progress, &loaded.unread_tensors);
  loaded.info = model->info();
  options.engine.max_model_len = decide_max_model_len(options.engine.max_model_len, loaded.info);
  options.engine.num_blocks = decide_num_blocks(options, loaded.info);
  loaded.max_model_len = options.engine.max_model_len;
  loaded.isa = backend->name();
  loaded.tile_unit = backend->tile_unit();
  loaded.num_threads = backend->thread_pool().num_threads();
  loaded.engine = std::make_unique<Engine>(std::move(backend), std::move(model), options.engine, std::move(sink));
  return loaded;
}

}  // namespace sensorium::binding
