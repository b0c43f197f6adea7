#include "models/model.h"

#include "core/error.h"

namespace sensorium {
namespace {

[[noreturn]] void refuse_alignment(const ModelInfo& info) {
  throw Error(ErrorCode::kInvalidArgument, info.architecture + " has no cross-attention that tells where its tokens lie");
}

}  // namespace

void Model::forward_queries(const ForwardBatch&, std::span<const AttentionHead>, KvCache&, Arena&, Matrix) {
  refuse_alignment(info());
}

std::vector<int32_t> Model::align(const TokenAlignment&, const KvCache&, Arena&) { refuse_alignment(info()); }

}  // namespace sensorium
