#include "weights/checkpoint.h"

#include <string>
#include <utility>

#include "core/error.h"
#include "core/json.h"

namespace sensorium {
namespace {

[[noreturn]] void fail(const std::string& where, const std::string& what) {
  throw Error(ErrorCode::kInvalidCheckpoint, where + ": " + what);
}

/// A shard is a plain file name of the folder itself (it may be a symbolic link, as in the Hub's cache).
void check_shard_name(const std::filesystem::path& index, const std::string& name) {
  const bool leaves_folder = name.empty() || name == "." || name == ".." || name.find_first_of("/\\") != std::string::npos;
  if (leaves_folder || name.find('\0') != std::string::npos) {
    fail(index.string(), "shard \"" + name.substr(0, 200) + "\" is not a plain file name");
  }
}

}  // namespace

Checkpoint Checkpoint::open(const std::filesystem::path& folder, const NameRule& rule) {
  Checkpoint checkpoint;
  checkpoint.folder_ = folder.string();
  checkpoint.add_folder(folder, rule);
  return checkpoint;
}

void Checkpoint::add_folder(const std::filesystem::path& folder, const NameRule& rule) {
  const auto single = folder / "model.safetensors";
  const auto index = folder / "model.safetensors.index.json";
  std::error_code ignored;  // an unreadable folder counts as one without the file
  if (std::filesystem::exists(single, ignored)) {
    open_single(single, rule);
  } else if (std::filesystem::exists(index, ignored)) {
    open_sharded(index, rule);
  } else {
    fail(folder.string(), "neither model.safetensors nor model.safetensors.index.json is there");
  }
}

void Checkpoint::open_single(const std::filesystem::path& file, const NameRule& rule) {
  shards_.push_back(SafetensorsFile::open(file));
  const size_t shard = shards_.size() - 1;
  for (const auto& [name, tensor] : shards_[shard].header().tensors) add(rule ? rule(name) : name, shard, tensor);
}

void Checkpoint::open_sharded(const std::filesystem::path& index, const NameRule& rule) {
  const Json json = Json::parse_file(index.string());
  const Json* weight_map = json.find("weight_map");
  if (weight_map == nullptr || !weight_map->is_object()) fail(index.string(), "no \"weight_map\" object");
  std::map<std::string, size_t> shard_of_file;
  for (const auto& [name, file] : weight_map->as_object()) {
    if (!file.is_string()) fail(index.string(), "shard of \"" + name + "\" is not a string");
    check_shard_name(index, file.as_string());
    const auto [shard, is_new] = shard_of_file.try_emplace(file.as_string(), shards_.size());
    if (is_new) shards_.push_back(SafetensorsFile::open(index.parent_path() / file.as_string()));
    const auto& tensors = shards_[shard->second].header().tensors;
    const auto tensor = tensors.find(name);
    if (tensor == tensors.end()) fail(index.string(), "tensor \"" + name + "\" is not in " + file.as_string());
    add(rule ? rule(name) : name, shard->second, tensor->second);
  }
}

void Checkpoint::add(std::string name, size_t shard, const SafetensorsEntry& tensor) {
  if (name.empty()) return;
  total_bytes_ += tensor.end - tensor.begin;
  const auto [entry, is_new] = entries_.try_emplace(std::move(name), Entry{shard, &tensor});
  if (!is_new) fail(shards_[shard].path().string(), "two tensors stand for \"" + entry->first + "\"");
}

const Checkpoint::Entry& Checkpoint::find(std::string_view name) const {
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) fail(folder_, "tensor \"" + std::string(name) + "\" is missing");
  return entry->second;
}

bool Checkpoint::has(std::string_view name) const { return entries_.find(name) != entries_.end(); }

TensorView Checkpoint::get_any(std::string_view name) const {
  const Entry& entry = find(name);
  if (!entry.is_read) read_bytes_ += entry.tensor->end - entry.tensor->begin;
  entry.is_read = true;
  return shards_[entry.shard].view(*entry.tensor);
}

TensorView Checkpoint::get(std::string_view name, const Shape& expected) const {
  const Entry& entry = find(name);
  if (entry.tensor->shape != expected) {
    fail(shards_[entry.shard].path().string(),
         "tensor \"" + std::string(name) + "\" is " + std::string(dtype_name(entry.tensor->dtype)) + " " +
             shape_to_string(entry.tensor->shape) + ", expected " + shape_to_string(expected));
  }
  return get_any(name);
}

void Checkpoint::release(std::string_view name) const {
  const Entry& entry = find(name);
  shards_[entry.shard].release(*entry.tensor);
}

std::vector<std::string> Checkpoint::names() const {
  std::vector<std::string> names;
  names.reserve(entries_.size());
  for (const auto& [name, entry] : entries_) names.push_back(name);
  return names;
}

void Checkpoint::ignore(std::string_view prefix) const {
  for (auto entry = entries_.lower_bound(prefix); entry != entries_.end() && entry->first.starts_with(prefix); ++entry) {
    if (!entry->second.is_read) read_bytes_ += entry->second.tensor->end - entry->second.tensor->begin;
    entry->second.is_read = true;
  }
}

std::vector<std::string> Checkpoint::unread() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    if (!entry.is_read) names.push_back(name);
  }
  return names;
}

size_t Checkpoint::total_bytes() const { return total_bytes_; }

size_t Checkpoint::read_bytes() const { return read_bytes_; }

}  // namespace sensorium
