#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include "check.h"
#include "core/arena.h"
#include "core/cpu_count.h"
#include "core/dtype.h"
#include "core/error.h"
#include "core/tensor.h"

using namespace sensorium;

namespace {

bool is_aligned(const void* memory) { return reinterpret_cast<uintptr_t>(memory) % 64 == 0; }

/// The half's value by its definition.
double half_value(uint16_t bits) {
  const double sign = (bits & 0x8000) != 0 ? -1.0 : 1.0;
  const int exponent = (bits >> 10) & 0x1f;
  const double mantissa = bits & 0x3ff;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  if (exponent == 31) return mantissa == 0 ? sign * std::numeric_limits<double>::infinity() : std::nan("");
  return sign * std::ldexp(1024.0 + mantissa, exponent - 25);
}

}  // namespace

TEST(every_half_widens_exactly) {
  int num_wrong = 0;
  for (uint32_t bits = 0; bits <= 0xffff; ++bits) {
    const double expected = half_value(static_cast<uint16_t>(bits));
    const float found = to_float(Float16{static_cast<uint16_t>(bits)});
    const bool is_equal = std::isnan(expected) ? std::isnan(found) : expected == found;
    if (!is_equal || std::signbit(found) != ((bits & 0x8000U) != 0)) ++num_wrong;
  }
  CHECK_EQ(num_wrong, 0);
}

TEST(bfloat16_rounds_to_nearest_even) {
  CHECK_EQ(to_bfloat16(1.0F).bits, 0x3f80);
  CHECK_EQ(to_bfloat16(std::bit_cast<float>(0x3f808000U)).bits, 0x3f80);  // a tie goes to the even neighbour
  CHECK_EQ(to_bfloat16(std::bit_cast<float>(0x3f818000U)).bits, 0x3f82);
  CHECK_EQ(to_bfloat16(std::bit_cast<float>(0x3f808001U)).bits, 0x3f81);
  CHECK_EQ(to_bfloat16(std::numeric_limits<float>::max()).bits, 0x7f80);
  CHECK(std::isnan(to_float(to_bfloat16(std::bit_cast<float>(0x7f800001U)))));
}

TEST(conversion_reads_unaligned_memory) {
  const double values[] = {1.5, -2.25, 1e-3};
  std::vector<std::byte> bytes(1 + sizeof(values));
  std::memcpy(bytes.data() + 1, values, sizeof(values));
  float floats[3] = {};
  copy_to_float(bytes.data() + 1, DType::kFloat64, 3, floats);
  for (int i = 0; i < 3; ++i) CHECK_EQ(floats[i], static_cast<float>(values[i]));

  const uint16_t halves[] = {0x3c00, 0xc000};
  std::memcpy(bytes.data() + 1, halves, sizeof(halves));
  copy_to_float(bytes.data() + 1, DType::kFloat16, 2, floats);
  CHECK_EQ(floats[0], 1.0F);
  CHECK_EQ(floats[1], -2.0F);
  CHECK_THROWS(copy_to_float(bytes.data(), DType::kInt64, 1, floats), ErrorCode::kInvalidArgument);
}

TEST(dtype_sizes_and_names) {
  CHECK_EQ(dtype_size(DType::kFloat64), size_t{8});
  CHECK_EQ(dtype_size(DType::kBFloat16), size_t{2});
  CHECK_EQ(dtype_size(DType::kBool), size_t{1});
  CHECK_EQ(dtype_name(DType::kBFloat16), "bfloat16");
  CHECK_EQ(dtype_name(DType::kUInt8), "uint8");
}

TEST(shapes_are_counted_without_overflow) {
  CHECK_EQ(num_elements({}), 1);
  CHECK_EQ(num_elements({2, 3, 4}), 24);
  CHECK_EQ(num_elements({5, 0}), 0);
  CHECK_THROWS(num_elements({2, -1}), ErrorCode::kInvalidArgument);
  CHECK_THROWS(num_elements({int64_t{1} << 32, int64_t{1} << 32}), ErrorCode::kInvalidArgument);
  CHECK_EQ(shape_to_string({2, 3}), "[2, 3]");
  CHECK_EQ(shape_to_string({}), "[]");
}

TEST(buffers_are_aligned_and_refuse_the_impossible) {
  for (const size_t size : {size_t{1}, size_t{100}, size_t{5} << 20}) {
    Buffer buffer(size);
    CHECK(is_aligned(buffer.data()));
    CHECK_EQ(buffer.size_bytes(), size);
    std::memset(buffer.data(), 1, size);
  }
  CHECK(Buffer(0).data() == nullptr);
  CHECK_THROWS(Buffer(std::numeric_limits<size_t>::max()), ErrorCode::kOutOfMemory);
  CHECK_THROWS(Buffer(size_t{1} << 62), ErrorCode::kOutOfMemory);
}

TEST(tensors_own_their_values) {
  const Tensor empty;
  CHECK(empty.empty());
  CHECK_EQ(empty.size(), 0);
  const uint16_t halves[] = {0x3f80, 0x4000, 0xc040, 0x0000};
  const Tensor tensor = Tensor::from({halves, DType::kBFloat16, {2, 2}});
  CHECK_EQ(tensor.shape(), (Shape{2, 2}));
  CHECK_EQ(tensor.data()[0], 1.0F);
  CHECK_EQ(tensor.data()[1], 2.0F);
  CHECK_EQ(tensor.data()[2], -3.0F);
  CHECK_THROWS(Tensor(Shape{int64_t{1} << 61}), ErrorCode::kOutOfMemory);
}

TEST(matrix_views_cut_rows_and_columns) {
  float values[12];
  for (int i = 0; i < 12; ++i) values[i] = static_cast<float>(i);
  const Matrix matrix(values, 3, 4);
  const ConstMatrix middle = matrix.columns(1, 2).row_range(1, 2);
  CHECK_EQ(middle.rows, 2);
  CHECK_EQ(middle.cols, 2);
  CHECK_EQ(middle.row(1)[1], 10.0F);
}

TEST(arena_gives_back_what_a_scope_took) {
  Arena arena;
  const Arena::Scope outer(arena);
  const Matrix kept = arena.matrix(3, 5);
  kept.row(2)[4] = 7.0F;
  const void* first = nullptr;
  {
    const Arena::Scope inner(arena);
    first = arena.bytes(10);
    CHECK(is_aligned(first));
    CHECK(is_aligned(arena.bytes(1)));
    // More than a chunk holds: comes from a chunk of its own.
    const Matrix large = arena.matrix(3000, 1000);
    large.row(2999)[999] = 1.0F;
  }
  CHECK_EQ(arena.bytes(10), first);
  CHECK_EQ(kept.row(2)[4], 7.0F);
}

TEST(arena_chunks_never_overlap) {
  Arena arena;
  for (int pass = 0; pass < 3; ++pass) {
    const Arena::Scope scope(arena);
    std::vector<Matrix> taken;
    for (const int64_t rows : {10, 3000, 1, 5000, 200, 9000}) {
      // Another order in each pass, so that kept chunks are too small at times.
      taken.push_back(arena.matrix(pass == 1 ? 9010 - rows : rows, 300));
      std::fill_n(taken.back().data, taken.back().rows * 300, static_cast<float>(taken.size()));
    }
    for (size_t i = 0; i < taken.size(); ++i) {
      CHECK_EQ(taken[i].data[0], static_cast<float>(i + 1));
      CHECK_EQ(taken[i].row(taken[i].rows - 1)[299], static_cast<float>(i + 1));
    }
  }
  arena.release();
  CHECK(arena.bytes(1) != nullptr);
  CHECK_THROWS(arena.matrix(int64_t{1} << 40, int64_t{1} << 30), ErrorCode::kInvalidArgument);
  CHECK_THROWS(arena.bytes(size_t{1} << 63), ErrorCode::kOutOfMemory);
}

TEST(at_least_one_core_is_usable) { CHECK(num_usable_physical_cores() >= 1); }
