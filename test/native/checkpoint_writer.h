#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

/// Writes small checkpoint folders for tests.
namespace sensorium::testing {

/// A folder that is removed at the end of the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "sensorium-test-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct FloatTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};

using FloatTensors = std::map<std::string, FloatTensor>;

inline void write_file(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline void write_safetensors(const std::filesystem::path& path, const FloatTensors& tensors) {
  std::ostringstream header;
  std::string data;
  header << "{";
  for (const auto& [name, tensor] : tensors) {
    const size_t begin = data.size(), num_bytes = tensor.values.size() * sizeof(float);
    data.resize(begin + num_bytes);
    std::memcpy(data.data() + begin, tensor.values.data(), num_bytes);
    header << (begin == 0 ? "\"" : ",\"") << name << R"(":{"dtype":"F32","shape":[)";
    for (size_t i = 0; i < tensor.shape.size(); ++i) header << (i == 0 ? "" : ",") << tensor.shape[i];
    header << R"(],"data_offsets":[)" << begin << "," << data.size() << "]}";
  }
  header << "}";
  std::string header_text = header.str();
  header_text.resize((header_text.size() + 7) / 8 * 8, ' ');
  const uint64_t header_bytes = header_text.size();
  std::string file(sizeof(header_bytes), '\0');
  std::memcpy(file.data(), &header_bytes, sizeof(header_bytes));
  write_file(path, file + header_text + data);
}

/// Sizes of a random Qwen2 checkpoint.
struct TinyQwen2 {
  int64_t vocab_size = 40, hidden_size = 32, intermediate_size = 48, num_layers = 2, num_heads = 4, num_kv_heads = 2,
          head_dim = 8;
};

inline FloatTensors random_qwen2(const TinyQwen2& sizes, uint32_t seed = 1) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal(0.0F, 0.3F);
  FloatTensors tensors;
  const auto add = [&](const std::string& name, std::vector<int64_t> shape) {
    int64_t count = 1;
    for (const int64_t size : shape) count *= size;
    FloatTensor tensor{std::move(shape), std::vector<float>(static_cast<size_t>(count))};
    for (float& value : tensor.values) value = normal(engine);
    tensors[name] = std::move(tensor);
  };
  const int64_t q = sizes.num_heads * sizes.head_dim, kv = sizes.num_kv_heads * sizes.head_dim, hidden = sizes.hidden_size;
  add("model.embed_tokens.weight", {sizes.vocab_size, hidden});
  add("model.norm.weight", {hidden});
  for (int64_t i = 0; i < sizes.num_layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    add(layer + "input_layernorm.weight", {hidden});
    add(layer + "post_attention_layernorm.weight", {hidden});
    for (const auto& [name, rows] : {std::pair{"q", q}, std::pair{"k", kv}, std::pair{"v", kv}}) {
      add(layer + "self_attn." + name + "_proj.weight", {rows, hidden});
      add(layer + "self_attn." + name + "_proj.bias", {rows});
    }
    add(layer + "self_attn.o_proj.weight", {hidden, q});
    add(layer + "mlp.gate_proj.weight", {sizes.intermediate_size, hidden});
    add(layer + "mlp.up_proj.weight", {sizes.intermediate_size, hidden});
    add(layer + "mlp.down_proj.weight", {hidden, sizes.intermediate_size});
  }
  return tensors;
}

/// config.json of random_qwen2() as members without braces, so that a test can add its own; a later key replaces none.
inline std::string qwen2_config(const TinyQwen2& sizes) {
  std::ostringstream config;
  config << R"("vocab_size":)" << sizes.vocab_size << R"(,"hidden_size":)" << sizes.hidden_size << R"(,"intermediate_size":)"
         << sizes.intermediate_size << R"(,"num_hidden_layers":)" << sizes.num_layers << R"(,"num_attention_heads":)"
         << sizes.num_heads << R"(,"num_key_value_heads":)" << sizes.num_kv_heads;
  return config.str();
}

}  // namespace sensorium::testing
