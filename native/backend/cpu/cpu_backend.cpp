#include "backend/cpu/cpu_backend.h"

#include <algorithm>
#include <atomic>

#include "backend/cpu/kv_cache.h"
#include "backend/cpu/packed_matrix.h"
#include "backend/cpu/rows.h"
#include "core/error.h"

namespace sensorium {
namespace {

/// A row op over fewer elements than this is not worth waking a thread.
constexpr int64_t kMinElementsPerTask = 16384;

}  // namespace

CpuBackend::CpuBackend(const KernelTable& table, DType compute_dtype, int num_threads)
    : table_(table), compute_dtype_(compute_dtype), pool_(num_threads) {
  if (compute_dtype != DType::kFloat32 && compute_dtype != DType::kBFloat16) {
    throw Error(ErrorCode::kInvalidArgument, "compute dtype must be float32 or bfloat16");
  }
  scratch_.resize(static_cast<size_t>(pool_.num_threads()));
}

void CpuBackend::reserve_scratch(int64_t num_floats) {
  const size_t bytes = static_cast<size_t>(num_floats) * sizeof(float);
  for (Buffer& buffer : scratch_) {
    if (buffer.size_bytes() < bytes) buffer = Buffer(bytes, PageSize::kHuge);
  }
}

float* CpuBackend::scratch(int thread_index) { return static_cast<float*>(scratch_[static_cast<size_t>(thread_index)].data()); }

void CpuBackend::for_items(int64_t num_items, FunctionRef<void(int thread_index, int64_t item)> task) {
  if (num_items == 1) return task(0, 0);
  std::atomic<int64_t> next{0};
  pool_.run([&](int thread_index) {
    for (int64_t item = next++; item < num_items; item = next++) task(thread_index, item);
  });
}

void CpuBackend::for_rows(ConstMatrix x, FunctionRef<void(int64_t begin, int64_t count)> task) {
  const int64_t grain = kMinElementsPerTask / std::max<int64_t>(x.cols, 1) + 1;
  pool_.parallel_for(x.rows, grain, [&](int64_t begin, int64_t end) { task(begin, end - begin); });
}

std::unique_ptr<PackedMatrix> CpuBackend::pack_panels(std::span<const WeightSlice> slices, bool is_gated) {
  PanelLayout layout = PanelLayout::kFloat32;
  if (compute_dtype_ == DType::kBFloat16) layout = uses_tiles() ? PanelLayout::kBFloat16Tiles : PanelLayout::kBFloat16Halves;
  const int64_t panel_width = uses_tiles() ? kTilePanelWidth : table_.panel_width;
  return std::make_unique<PanelMatrix>(slices, is_gated, layout, panel_width, pool_);
}

std::unique_ptr<PackedMatrix> CpuBackend::pack(std::span<const WeightSlice> slices) { return pack_panels(slices, false); }

std::unique_ptr<PackedMatrix> CpuBackend::pack_gated(const WeightSlice& gate, const WeightSlice& up) {
  const WeightSlice slices[] = {gate, up};
  return pack_panels(slices, true);
}

void CpuBackend::embedding(const PackedMatrix& table, std::span<const int32_t> token_ids, Matrix y) {
  const auto& matrix = static_cast<const PanelMatrix&>(table);
  for_rows(y, [&](int64_t begin, int64_t count) {
    for (int64_t r = begin; r < begin + count; ++r) matrix.copy_row(token_ids[static_cast<size_t>(r)], y.row(r));
  });
}

void CpuBackend::rms_norm(ConstMatrix x, const float* weight, float eps, Matrix y) {
  for_rows(x, [&](int64_t begin, int64_t count) {
    table_.rows->rms_norm(x.row_range(begin, count), weight, eps, y.row_range(begin, count));
  });
}

void CpuBackend::layer_norm(ConstMatrix x, const float* weight, const float* bias, float eps, Matrix y) {
  for_rows(x, [&](int64_t begin, int64_t count) {
    table_.rows->layer_norm(x.row_range(begin, count), weight, bias, eps, y.row_range(begin, count));
  });
}

void CpuBackend::activate(ConstMatrix x, Activation activation, Matrix y) {
  for_rows(x, [&](int64_t begin, int64_t count) {
    table_.rows->activate(x.row_range(begin, count), activation, y.row_range(begin, count));
  });
}

void CpuBackend::add(ConstMatrix x, Matrix y) {
  for_rows(x, [&](int64_t begin, int64_t count) { table_.rows->add(x.row_range(begin, count), y.row_range(begin, count)); });
}

void CpuBackend::rope(Matrix x, int64_t num_heads, int64_t head_dim, ConstMatrix cos, ConstMatrix sin) {
  for_rows(x, [&](int64_t begin, int64_t count) {
    table_.rows->rope(x.row_range(begin, count), num_heads, head_dim, cos.row_range(begin, count), sin.row_range(begin, count));
  });
}

}  // namespace sensorium
