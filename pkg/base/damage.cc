#include "pkg/base/damage.h"

#include <fmt/format.h>

#include <string>

#include "absl/strings/cord.h"

namespace kdb {
namespace {

constexpr char kDamagePayload[] = "kdb-damage";

}  // namespace

absl::Status DamageError(std::string_view message) {
  absl::Status status = absl::DataLossError(absl::string_view(message.data(), message.size()));
  status.SetPayload(kDamagePayload, absl::Cord());
  return status;
}

bool IsDamage(const absl::Status& status) { return status.GetPayload(kDamagePayload).has_value(); }

absl::Status WithContext(std::string_view context, const absl::Status& status) {
  if (status.ok()) return status;
  absl::Status longer(status.code(), fmt::format("{}: {}", context, std::string(status.message())));
  status.ForEachPayload(
      [&](absl::string_view type, const absl::Cord& payload) { longer.SetPayload(type, payload); });
  return longer;
}

}  // namespace kdb
