#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "check.h"
#include "core/error.h"
#include "core/json.h"
#include "golden_tensors.h"
#include "weights/checkpoint.h"
#include "weights/safetensors.h"

using namespace sensorium;
namespace fs = std::filesystem;

namespace {

/// A folder of its own, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "sensorium_test_XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make a folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path operator/(const std::string& name) const { return path_ / name; }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string safetensors_bytes(const std::string& header, const std::string& data) {
  std::string bytes(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + data;
}

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string floats(std::initializer_list<float> values) {
  std::string bytes;
  for (const float value : values) {
    char raw[sizeof(float)];
    std::memcpy(raw, &value, sizeof(value));
    bytes.append(raw, sizeof(raw));
  }
  return bytes;
}

/// Error of opening a folder, empty when it opens.
std::string open_error(const fs::path& folder) {
  try {
    (void)Checkpoint::open(folder);
    return "";
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kInvalidCheckpoint || error.code() == ErrorCode::kUnsupportedArchitecture);
    return error.what();
  }
}

std::string parse_error(const std::string& bytes) {
  try {
    (void)parse_safetensors(std::as_bytes(std::span(bytes)));
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

const std::string kTwoTensors =
    R"({"model.a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[1,2],"data_offsets":[8,12]}})";

}  // namespace

TEST(hostile_files_are_judged_as_the_goldens_say) {
  const fs::path root = golden::root() / "components" / "safetensors_hostile";
  const Json cases = Json::parse_file((root / "cases.json").string());
  int num_accepted = 0, num_rejected = 0;
  for (const Json& item : cases.find("cases")->as_array()) {
    const TemporaryFolder folder;
    fs::copy_file(root / item.get_string("file", ""), folder / "model.safetensors");
    const std::string error = open_error(folder.path());
    const std::string expected = item.get_string("expect", "");
    const bool is_accepted = error.empty();
    (is_accepted ? num_accepted : num_rejected)++;
    if (expected != "either" && is_accepted != (expected == "accept")) {
      check::fail(__FILE__, __LINE__, item.get_string("name", "") + ": expected " + expected + ", error \"" + error + "\"");
    }
    if (!is_accepted) CHECK(error.find("model.safetensors") != std::string::npos);
  }
  std::printf("     %d accepted, %d rejected\n", num_accepted, num_rejected);
  CHECK(num_accepted >= 10);
  CHECK(num_rejected >= 30);
}

TEST(hostile_indices_are_rejected) {
  const fs::path root = golden::root() / "components" / "safetensors_hostile";
  const Json cases = Json::parse_file((root / "cases.json").string());
  for (const Json& item : cases.find("index_cases")->as_array()) {
    const TemporaryFolder folder;
    fs::copy(root / "files", folder / "files", fs::copy_options::recursive);
    std::string map;
    for (const auto& [name, shard] : item.find("weight_map")->as_object()) {
      map += "\"" + name + "\":\"" + shard.as_string() + "\"";
    }
    write_file(folder / "model.safetensors.index.json", "{\"weight_map\":{" + map + "}}");
    CHECK(!open_error(folder.path()).empty());
  }
}

TEST(golden_checkpoints_open) {
  int num_tensors = 0;
  for (const char* family : {"qwen2", "qwen2_vl", "qwen2_5_vl", "qwen2_5_omni"}) {
    const Checkpoint checkpoint = Checkpoint::open(golden::root() / family / "model");
    for (const std::string& name : checkpoint.names()) {
      const TensorView view = checkpoint.get_any(name);
      CHECK(view.data != nullptr || view.size() == 0);
      ++num_tensors;
    }
    CHECK(checkpoint.unread().empty());
    CHECK_EQ(checkpoint.read_bytes(), checkpoint.total_bytes());
  }
  CHECK(num_tensors > 100);
}

TEST(tensors_are_read_by_name_and_shape) {
  const TemporaryFolder folder;
  const std::string bfloats("\x80\x3f\x00\xc0", 4);
  write_file(folder / "model.safetensors", safetensors_bytes(kTwoTensors, floats({1.5F, -2.0F}) + bfloats));
  const auto strip_model = [](std::string_view name) {
    return std::string(name.starts_with("model.") ? name.substr(6) : name);
  };
  const Checkpoint checkpoint = Checkpoint::open(folder.path(), strip_model);
  CHECK(checkpoint.has("a") && checkpoint.has("b") && !checkpoint.has("model.a"));
  CHECK_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b"}));
  CHECK_EQ(checkpoint.total_bytes(), size_t{12});
  CHECK_EQ(checkpoint.unread().size(), size_t{2});

  const Tensor a = Tensor::from(checkpoint.get("a", {2}));
  CHECK_EQ(a.data()[0], 1.5F);
  CHECK_EQ(a.data()[1], -2.0F);
  CHECK_EQ(checkpoint.read_bytes(), size_t{8});
  (void)checkpoint.get("a", {2});
  CHECK_EQ(checkpoint.read_bytes(), size_t{8});
  CHECK_EQ(checkpoint.unread(), (std::vector<std::string>{"b"}));
  checkpoint.release("a");
  CHECK_EQ(Tensor::from(checkpoint.get("a", {2})).data()[0], 1.5F);  // released bytes can still be read

  const TensorView b = checkpoint.get("b", {1, 2});
  CHECK_EQ(b.dtype, DType::kBFloat16);
  CHECK_EQ(Tensor::from(b).data()[1], -2.0F);
  CHECK_THROWS(checkpoint.get_any("c"), ErrorCode::kInvalidCheckpoint);
}

TEST(a_wrong_shape_is_explained) {
  const TemporaryFolder folder;
  write_file(folder / "model.safetensors", safetensors_bytes(kTwoTensors, std::string(12, '\0')));
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  try {
    (void)checkpoint.get("b", {2, 2});
    CHECK(false);
  } catch (const Error& error) {
    const std::string message = error.what();
    for (const char* part : {"model.safetensors", "\"b\"", "bfloat16", "[1, 2]", "[2, 2]"}) {
      CHECK(message.find(part) != std::string::npos);
    }
  }
}

TEST(shards_may_be_symbolic_links) {
  const TemporaryFolder folder, blobs;
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  write_file(blobs / "0123abcd", safetensors_bytes(header, floats({3.0F})));
  fs::create_symlink(blobs / "0123abcd", folder / "model-00001-of-00001.safetensors");
  write_file(folder / "model.safetensors.index.json", R"({"weight_map":{"a":"model-00001-of-00001.safetensors"}})");
  const Checkpoint checkpoint = Checkpoint::open(folder.path());
  CHECK_EQ(Tensor::from(checkpoint.get("a", {1})).data()[0], 3.0F);
}

TEST(names_that_collide_after_normalising_are_rejected) {
  const TemporaryFolder folder;
  write_file(folder / "model.safetensors", safetensors_bytes(kTwoTensors, std::string(12, '\0')));
  CHECK_THROWS(Checkpoint::open(folder.path(), [](std::string_view) { return std::string("x"); }),
               ErrorCode::kInvalidCheckpoint);
  // An empty name leaves a tensor out.
  const Checkpoint checkpoint =
      Checkpoint::open(folder.path(), [](std::string_view name) { return name == "b" ? std::string() : std::string(name); });
  CHECK_EQ(checkpoint.names(), (std::vector<std::string>{"model.a"}));
  CHECK_EQ(checkpoint.total_bytes(), size_t{8});
}

TEST(folders_without_a_checkpoint_are_refused) {
  const TemporaryFolder folder;
  CHECK(open_error(folder.path()).find("model.safetensors") != std::string::npos);
  CHECK(!open_error(folder / "missing").empty());
  fs::create_directory(folder / "model.safetensors");
  CHECK(open_error(folder.path()).find("not a regular file") != std::string::npos);
}

TEST(malformed_indices_are_refused) {
  for (const char* index :
       {"", "[]", "{}", R"({"weight_map":[]})", R"({"weight_map":{"a":1}})", R"({"weight_map":{"a":""}})",
        R"({"weight_map":{"a":".."}})", R"({"weight_map":{"a":"x\u0000y"}})", R"({"weight_map":{"a":"..\\x"}})"}) {
    const TemporaryFolder folder;
    write_file(folder / "model.safetensors.index.json", index);
    CHECK(!open_error(folder.path()).empty());
  }
}

TEST(dtypes_of_the_format_that_are_not_read_say_so) {
  const TemporaryFolder folder;
  const std::string header = R"({"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}})";
  write_file(folder / "model.safetensors", safetensors_bytes(header, "abcd"));
  CHECK_THROWS(Checkpoint::open(folder.path()), ErrorCode::kUnsupportedArchitecture);
  CHECK(open_error(folder.path()).find("F8_E4M3") != std::string::npos);
}

TEST(shapes_that_hide_an_overflow_behind_a_zero_are_refused) {
  const std::string big = "4611686018427387904";
  const std::string header = R"({"a":{"dtype":"F32","shape":[)" + big + "," + big + R"(,0],"data_offsets":[0,0]}})";
  CHECK(!parse_error(safetensors_bytes(header, "")).empty());
}

TEST(truncated_and_mutated_files_never_crash) {
  const std::string whole = safetensors_bytes(kTwoTensors, std::string(12, '\1'));
  CHECK(parse_error(whole).empty());
  for (size_t length = 0; length < whole.size(); ++length) CHECK(!parse_error(whole.substr(0, length)).empty());
  uint32_t state = 1;
  int num_accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes = whole;
    for (int edit = 0; edit < 2; ++edit) {
      state = state * 1664525U + 1013904223U;
      bytes[(state >> 8) % bytes.size()] = static_cast<char>(state >> 24);
    }
    num_accepted += parse_error(bytes).empty() ? 1 : 0;
  }
  CHECK(num_accepted > 0);  // edits of the data or of a name leave the file valid
  CHECK(num_accepted < 20000);
}
