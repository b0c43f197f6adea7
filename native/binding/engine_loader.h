#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "backend/select.h"
#include "engine/engine.h"

namespace sensorium::binding {

struct LoadOptions {
  std::filesystem::path model;
  BackendOptions backend;
  /// max_model_len 0: the model's own; num_blocks is decided while loading.
  EngineOptions engine;
  /// Absent: what max_num_seqs full contexts need, at most a quarter of the memory.
  std::optional<size_t> kv_cache_bytes;
};

struct LoadedEngine {
  std::unique_ptr<Engine> engine;
  ModelInfo info;
  std::vector<std::string> unread_tensors;  ///< of the checkpoint: the config does not ask for them
  int32_t max_model_len = 0;
  std::string isa;
  TileUnit tile_unit = TileUnit::kNone;
  int num_threads = 0;
};

/// Loads a checkpoint and starts its engine. Throws what load_model() and create_cpu_backend() throw, kInvalidArgument when
/// options do not fit the model, kOutOfMemory when one full context does not fit the default cache size.
LoadedEngine load_engine(LoadOptions options, const LoadProgress& progress, Engine::EventSink sink);

}  // namespace sensorium::binding
