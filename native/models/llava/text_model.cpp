#include "models/llava/text_model.h"

#include <string>

#include "models/llama/llama.h"
#include "models/mistral/mistral.h"
#include "models/qwen2/qwen2.h"

namespace sensorium {

TextConfig read_llava_text_config(const ConfigSection& config, std::string_view usual_type) {
  const ConfigSection section = config.section("text_config");
  const std::string type = section.text({"model_type"}, usual_type);
  TextConfig defaults;
  if (type == "llama") {
    defaults = llama_text_defaults();
  } else if (type == "mistral") {
    defaults = mistral_text_defaults();
  } else if (type == "qwen2") {
    defaults = qwen2_text_defaults();
  } else {
    section.fail_unsupported("model_type", "the language model \"" + type + "\" is not supported here");
  }
  TextConfig text = read_text_config(config.section_over_this("text_config"), std::move(defaults));
  text.is_tied = config.flag({"tie_word_embeddings"}, text.is_tied);
  return text;
}

}  // namespace sensorium
