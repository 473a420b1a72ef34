// Damage: the bytes on a disk, or a replica's state, are not what was once written. Unlike an I/O
// error it is still there after a restart, and what else it touched is not known.
#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace kdb {

// DATA_LOSS, marked.
absl::Status DamageError(std::string_view message);
bool IsDamage(const absl::Status& status);

// The same with "`context`: " before the message; the mark stays.
absl::Status WithContext(std::string_view context, const absl::Status& status);

}  // namespace kdb
