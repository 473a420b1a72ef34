#include "pkg/env/errno_status.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

namespace kdb {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    case EIO:
      return absl::StatusCode::kDataLoss;
    default:
      return absl::StatusCode::kUnknown;
  }
}

}  // namespace

absl::Status ErrnoStatus(int error, std::string_view call, std::string_view path) {
  return absl::Status(CodeOf(error),
                      fmt::format("{} {}: {}", call, path, std::system_category().message(error)));
}

}  // namespace kdb
