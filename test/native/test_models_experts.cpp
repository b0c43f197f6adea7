// Layers with experts: every layout of their tensors gives the same bits, routing keys act, and misshapen tensors are named.

#include <algorithm>
#include <functional>

#include "backend_testing.h"
#include "check.h"
#include "checkpoint_writer.h"
#include "core/error.h"
#include "model_driver.h"

using namespace sensorium;           // NOLINT(google-build-using-namespace)
using namespace sensorium::testing;  // NOLINT(google-build-using-namespace)

namespace {

constexpr int64_t kHidden = 32, kInner = 12, kNumExperts = 5;

const std::string kRouting = R"(,"num_experts":5,"num_experts_per_tok":2,"moe_intermediate_size":12)";

std::string config_with(const std::string& members) {
  return R"({"architectures":["Qwen3MoeForCausalLM"],)" + qwen2_config({}) + members + "}";
}

FloatTensor random_tensor(Random& random, std::vector<int64_t> shape) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return {std::move(shape), random.normal(count)};
}

/// Both layers have experts, each in tensors of its own, and a plain MLP besides for configs that want it.
FloatTensors separate_experts() {
  Random random(3);
  FloatTensors tensors = random_qwen2({});
  for (auto tensor = tensors.begin(); tensor != tensors.end();) {
    const bool is_bias = tensor->first.find("_proj.bias") != std::string::npos;
    tensor = is_bias ? tensors.erase(tensor) : std::next(tensor);
  }
  for (const char* layer : {"model.layers.0.", "model.layers.1."}) {
    const std::string mlp = std::string(layer) + "mlp.";
    for (const char* name : {"q_norm", "k_norm"}) {
      tensors[std::string(layer) + "self_attn." + name + ".weight"] = random_tensor(random, {8});
    }
    tensors[mlp + "gate.weight"] = random_tensor(random, {kNumExperts, kHidden});
    for (int64_t expert = 0; expert < kNumExperts; ++expert) {
      const std::string name = mlp + "experts." + std::to_string(expert) + ".";
      tensors[name + "gate_proj.weight"] = random_tensor(random, {kInner, kHidden});
      tensors[name + "up_proj.weight"] = random_tensor(random, {kInner, kHidden});
      tensors[name + "down_proj.weight"] = random_tensor(random, {kHidden, kInner});
    }
  }
  return tensors;
}

FloatTensor transposed(const FloatTensor& stack) {
  const int64_t count = stack.shape[0], rows = stack.shape[1], cols = stack.shape[2];
  FloatTensor result{{count, cols, rows}, std::vector<float>(stack.values.size())};
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < cols; ++c) {
        result.values[static_cast<size_t>((i * cols + c) * rows + r)] =
            stack.values[static_cast<size_t>((i * rows + r) * cols + c)];
      }
    }
  }
  return result;
}

/// All experts of a layer in two tensors, as Linear keeps matrices.
FloatTensors stacked_experts() {
  FloatTensors tensors = separate_experts();
  for (const char* layer : {"model.layers.0.", "model.layers.1."}) {
    const std::string experts = std::string(layer) + "mlp.experts.";
    FloatTensor up{{kNumExperts, 2 * kInner, kHidden}, {}}, down{{kNumExperts, kHidden, kInner}, {}};
    const auto move_to = [&](FloatTensor& target, const std::string& name) {
      const auto source = tensors.find(name);
      target.values.insert(target.values.end(), source->second.values.begin(), source->second.values.end());
      tensors.erase(source);
    };
    for (int64_t expert = 0; expert < kNumExperts; ++expert) {
      const std::string name = experts + std::to_string(expert) + ".";
      move_to(up, name + "gate_proj.weight");
      move_to(up, name + "up_proj.weight");
      move_to(down, name + "down_proj.weight");
    }
    tensors[experts + "gate_up_proj"] = up;
    tensors[experts + "down_proj"] = down;
  }
  return tensors;
}

FloatTensors transposed_experts() {
  FloatTensors tensors = stacked_experts();
  for (auto& [name, tensor] : tensors) {
    if (tensor.shape.size() == 3) tensor = transposed(tensor);
  }
  return tensors;
}

struct Loaded {
  TemporaryFolder folder;
  std::unique_ptr<Backend> backend = create({"generic", false, DType::kFloat32}, 1);
  std::unique_ptr<Model> model;

  Loaded(const std::string& config, const FloatTensors& tensors) {
    write_file(folder.path() / "config.json", config);
    write_safetensors(folder.path() / "model.safetensors", tensors);
    model = load_model(folder.path(), *backend, {});
  }
};

std::vector<float> logits_of(const std::string& config, const FloatTensors& tensors) {
  const Loaded loaded(config, tensors);
  Prompt prompt;
  prompt.ids = {3, 1, 4, 1, 5, 9, 2, 6};
  prompt.positions = loaded.model->positions(prompt.ids, {});
  Driver driver(*loaded.model, *loaded.backend, 8);
  Sequence sequence = driver.start(prompt);
  return driver.prefill(sequence, 8);
}

void check_refused(const std::string& config, const FloatTensors& tensors, const std::vector<std::string>& named) {
  try {
    const Loaded loaded(config, tensors);
    check::fail(__FILE__, __LINE__, "loaded in spite of " + named[0]);
  } catch (const Error& error) {
    CHECK(error.code() == ErrorCode::kInvalidCheckpoint);
    for (const std::string& part : named) {
      if (std::string(error.what()).find(part) == std::string::npos) check::fail(__FILE__, __LINE__, error.what());
    }
  }
}

}  // namespace

TEST(layouts_of_experts_agree) {
  const std::string config = config_with(kRouting);
  const std::vector<float> separate = logits_of(config, separate_experts());
  CHECK(logits_of(config, stacked_experts()) == separate);
  CHECK(logits_of(config, transposed_experts()) == separate);
}

TEST(routing_keys_act) {
  const FloatTensors tensors = separate_experts();
  const std::vector<float> plain = logits_of(config_with(kRouting), tensors);
  CHECK(logits_of(config_with(kRouting + R"(,"norm_topk_prob":false)"), tensors) == plain);
  for (const char* member : {R"(,"norm_topk_prob":true)", R"(,"mlp_only_layers":[0])", R"(,"decoder_sparse_step":2)"}) {
    CHECK(logits_of(config_with(kRouting + member), tensors) != plain);
  }
  CHECK(logits_of(config_with(kRouting + R"(,"mlp_only_layers":[0])"), tensors) ==
        logits_of(config_with(kRouting + R"(,"decoder_sparse_step":2)"), tensors));
  CHECK(logits_of(config_with(R"(,"num_local_experts":5,"num_experts_per_tok":2,"moe_intermediate_size":12)"), tensors) ==
        plain);
}

TEST(experts_of_all_rows_sum_to_the_whole) {
  // With every expert chosen, renormalising changes nothing.
  const std::string all = R"(,"num_experts":5,"num_experts_per_tok":5,"moe_intermediate_size":12,"norm_topk_prob":)";
  const std::vector<float> left = logits_of(config_with(all + "false"), separate_experts());
  const std::vector<float> summed = logits_of(config_with(all + "true"), separate_experts());
  for (size_t i = 0; i < left.size(); ++i) CHECK_NEAR(left[i], summed[i], 1e-3);
}

TEST(misshapen_experts_are_named) {
  FloatTensors tensors = separate_experts();
  tensors.erase("model.layers.1.mlp.experts.4.up_proj.weight");
  check_refused(config_with(kRouting), tensors, {"model.layers.1.mlp.experts.4.up_proj.weight", "missing"});
  tensors = separate_experts();
  tensors.erase("model.layers.0.mlp.gate.weight");
  check_refused(config_with(kRouting), tensors, {"model.layers.0.mlp.gate.weight", "missing"});
  tensors = transposed_experts();
  tensors["model.layers.0.mlp.experts.down_proj"] = stacked_experts()["model.layers.0.mlp.experts.down_proj"];
  check_refused(config_with(kRouting), tensors, {"experts.down_proj", "[5, 32, 12]", "expected [5, 12, 32]"});
  check_refused(config_with(R"(,"num_experts":6,"num_experts_per_tok":2,"moe_intermediate_size":12)"), stacked_experts(),
                {"gate.weight", "[5, 32]", "expected [6, 32]"});
}

TEST(impossible_routing_is_refused) {
  const FloatTensors tensors = separate_experts();
  for (const char* member :
       {R"(,"num_experts":5,"num_experts_per_tok":6)", R"(,"num_experts":0)", R"(,"num_experts_per_tok":0)",
        R"(,"decoder_sparse_step":0)", R"(,"mlp_only_layers":[-1])", R"(,"norm_topk_prob":1)"}) {
    const std::string text(member);
    const size_t key = text.rfind(",\"") + 2;
    check_refused(config_with(member), tensors, {text.substr(key, text.find('"', key) - key)});
  }
}
