// Prints what the CPU backend's kernels reach, on one thread and in its CPU time, as shares of the register peak measured
// between their runs: bench_kernels [isa | avx512-fma | avx512-dot] [float32|bfloat16]
// [linear|segment|paged|stream].
#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "backend/select.h"
#include "machine_limits.h"

using namespace sensorium;
using namespace sensorium::bench;

namespace {

double peak_of(const Backend& backend) {
  constexpr double kSeconds = 0.02;
  if (backend.name() == "avx2" || backend.name() == "generic") return fma_peak_avx2(kSeconds);
  if (backend.product_unit() == ProductUnit::kTiles) return tile_peak_amx_bf16(kSeconds);
  if (backend.product_unit() == ProductUnit::kBFloat16Dot) return dot_peak_avx512_bf16(kSeconds);
  return fma_peak_avx512(kSeconds);
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// Runs `work` of `flops` operations between peak measurements and prints medians.
void report(const Backend& backend, const std::string& name, double flops, const std::function<void()>& work) {
  work();
  std::vector<double> rates, shares;
  for (const double end = thread_seconds() + 1.0; thread_seconds() < end || rates.size() < 5;) {
    const double peak = peak_of(backend);
    const double begin = thread_seconds();
    work();
    rates.push_back(flops / (thread_seconds() - begin));
    shares.push_back(rates.back() / peak);
  }
  std::printf("%-44s %8.1f GFLOP/s %6.1f %% of peak\n", name.c_str(), median(rates) * 1e-9, median(shares) * 100.0);
}

/// Values of a small generator, enough to keep products away from denormals and overflow.
std::vector<float> values(int64_t count) {
  std::vector<float> result(static_cast<size_t>(count));
  uint32_t state = 1;
  for (float& value : result) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(state >> 8) / 16777216.0F - 0.5F;
  }
  return result;
}

struct Product {
  int64_t rows;
  int64_t in;
  int64_t out;
  bool is_gated;
};

void report_product(Backend& backend, const Product& p) {
  const std::vector<float> weight = values(p.out * p.in);
  const std::vector<float> x = values(p.rows * p.in);
  std::vector<float> y(static_cast<size_t>(p.rows * p.out));
  WeightSlice slice;
  slice.weight = {weight.data(), DType::kFloat32, {p.out, p.in}};
  const auto packed = p.is_gated ? backend.pack_gated(slice, slice) : backend.pack(std::vector{slice});
  const Epilogue epilogue{p.is_gated ? Activation::kSilu : Activation::kNone, {}};
  const std::string name = (p.is_gated ? "gated " : "linear ") + std::to_string(p.rows) + " x " + std::to_string(p.in) +
                           " -> " + std::to_string(p.out);
  const double flops = 2.0 * static_cast<double>(p.rows * p.in * packed->out_features());
  report(backend, name, flops,
         [&] { backend.linear(*packed, ConstMatrix(x.data(), p.rows, p.in), Matrix(y.data(), p.rows, p.out), epilogue); });
}

/// Streams weights that no cache holds through one row after the other.
void report_decode(Backend& backend, int64_t rows) {
  constexpr int64_t kIn = 1024;
  constexpr int64_t kOut = 4096;
  constexpr int64_t kNumMatrices = 24;
  const std::vector<float> weight = values(kOut * kIn);
  const std::vector<float> x = values(rows * kIn);
  std::vector<float> y(static_cast<size_t>(rows * kOut));
  std::vector<std::unique_ptr<PackedMatrix>> matrices;
  double bytes = 0.0;
  WeightSlice slice;
  slice.weight = {weight.data(), DType::kFloat32, {kOut, kIn}};
  for (int64_t i = 0; i < kNumMatrices; ++i) {
    matrices.push_back(backend.pack(std::vector{slice}));
    bytes += static_cast<double>(matrices.back()->size_bytes());
  }
  std::vector<double> rates, shares;
  for (int run = 0; run < 15; ++run) {
    const double limit = read_bandwidth_of_thread(int64_t{1} << 28);
    const double begin = thread_seconds();
    for (const auto& matrix : matrices) {
      backend.linear(*matrix, ConstMatrix(x.data(), rows, kIn), Matrix(y.data(), rows, kOut), {});
    }
    rates.push_back(bytes / (thread_seconds() - begin));
    shares.push_back(rates.back() / limit);
  }
  std::printf("%-44s %8.1f GB/s    %6.1f %% of read bandwidth\n", ("stream weights, rows " + std::to_string(rows)).c_str(),
              median(rates) * 1e-9, median(shares) * 100.0);
}

void report_segment(Backend& backend, int64_t rows, int64_t num_heads, int64_t head_dim) {
  const int64_t size = num_heads * head_dim;
  const std::vector<float> q = values(rows * size);
  std::vector<float> out(q.size());
  const ConstMatrix x(q.data(), rows, size);
  const std::vector<int32_t> bounds = {0, static_cast<int32_t>(rows)};
  const std::string name =
      "segment attention " + std::to_string(rows) + ", heads " + std::to_string(num_heads) + " x " + std::to_string(head_dim);
  report(backend, name, 4.0 * static_cast<double>(rows * rows * size), [&] {
    backend.segment_attention(x, x, x, num_heads, num_heads, head_dim, 0.125F, bounds, Matrix(out.data(), rows, size));
  });
}

void report_paged(Backend& backend, int32_t num_query_tokens, int32_t kv_length) {
  constexpr int64_t kHeads = 16, kKvHeads = 8, kHeadDim = 128, kBlockSize = 16;
  const int64_t num_blocks = (kv_length + kBlockSize - 1) / kBlockSize;
  const auto cache = backend.create_kv_cache({1, num_blocks, kBlockSize, kKvHeads, kHeadDim});
  std::vector<int32_t> slots, blocks;
  for (int32_t i = 0; i < kv_length; ++i) slots.push_back(i);
  for (int32_t i = 0; i < num_blocks; ++i) blocks.push_back(i);
  const std::vector<float> kv = values(kv_length * kKvHeads * kHeadDim);
  const ConstMatrix rows(kv.data(), kv_length, kKvHeads * kHeadDim);
  backend.write_kv(*cache, 0, rows, rows, slots);
  const std::vector<float> q = values(num_query_tokens * kHeads * kHeadDim);
  std::vector<float> out(q.size());
  const std::vector<PagedSequence> sequences = {{0, num_query_tokens, kv_length, blocks}};
  double pairs = 0.0;
  for (int32_t t = 0; t < num_query_tokens; ++t) pairs += kv_length - t;
  const std::string name = "paged attention " + std::to_string(num_query_tokens) + " over " + std::to_string(kv_length);
  report(backend, name, 4.0 * pairs * kHeads * kHeadDim, [&] {
    backend.paged_attention(*cache, 0, ConstMatrix(q.data(), num_query_tokens, kHeads * kHeadDim), kHeads, 0.088F,
                            kWholeContext, sequences, Matrix(out.data(), num_query_tokens, kHeads * kHeadDim));
  });
}

}  // namespace

int main(int argc, char** argv) {
  BackendOptions options;
  options.num_threads = 1;
  if (argc > 1) {
    const std::string isa = argv[1];
    options.isa = isa.substr(0, isa.find('-'));
    if (isa == "avx512-fma") options.use_dots = false;
    if (isa == "avx512-dot") options.use_dots = true;
  }
  if (argc > 2) options.compute_dtype = std::string(argv[2]) == "float32" ? DType::kFloat32 : DType::kBFloat16;
  const std::string only = argc > 3 ? argv[3] : "";
  const auto is_wanted = [&](const char* kind) { return only.empty() || only == kind; };
  const auto backend = create_cpu_backend(options);
  std::printf("%s, %s, one thread\n", std::string(backend->name()).c_str(),
              std::string(dtype_name(backend->compute_dtype())).c_str());
  if (is_wanted("linear")) {
    for (const Product& product :
         {Product{512, 1024, 4096, false}, Product{512, 2048, 1024, false}, Product{512, 1024, 3072, true},
          Product{512, 3072, 1024, false}, Product{3072, 768, 2304, false}, Product{3072, 768, 3072, false},
          Product{16, 1024, 4096, false}, Product{16, 3072, 1024, false}, Product{4, 1024, 4096, false}}) {
      report_product(*backend, product);
    }
  }
  if (is_wanted("segment")) {
    report_segment(*backend, 3072, 12, 64);
    report_segment(*backend, 1024, 16, 80);
    report_segment(*backend, 64, 16, 80);
  }
  if (is_wanted("paged")) {
    report_paged(*backend, 512, 512);
    report_paged(*backend, 128, 4096);
    report_paged(*backend, 1, 256);
    report_paged(*backend, 1, 4096);
  }
  if (is_wanted("stream")) {
    for (const int64_t rows : {1, 2, 4, 8, 16}) report_decode(*backend, rows);
  }
  return 0;
}
