// Propagation of absl::Status: Debian's absl has no status macros.
#pragma once

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function when `expr` (absl::Status) is not OK.
#define KDB_RETURN_IF_ERROR(expr)                                              \
  do {                                                                         \
    if (absl::Status kdb_status = (expr); !kdb_status.ok()) return kdb_status; \
  } while (false)

#define KDB_STATUS_CONCAT_INNER(a, b) a##b
#define KDB_STATUS_CONCAT(a, b) KDB_STATUS_CONCAT_INNER(a, b)

// KDB_ASSIGN_OR_RETURN(auto x, F()): declares or assigns x from an absl::StatusOr, or returns its
// error.
#define KDB_ASSIGN_OR_RETURN(lhs, expr) \
  KDB_ASSIGN_OR_RETURN_INNER(KDB_STATUS_CONCAT(kdb_statusor_, __LINE__), lhs, expr)
#define KDB_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                               \
  if (!tmp.ok()) return std::move(tmp).status();   \
  lhs = *std::move(tmp)
