// Broken invariants end the process with a message; bad input never reaches these.
#pragma once

#include <fmt/format.h>

#include <string_view>

namespace kdb {

// Writes "file:line: check failed: expression: message" to stderr and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* expression,
                              std::string_view message);

}  // namespace kdb

// KDB_CHECK(cond, "format {}", args...): always on. KDB_DCHECK: on unless NDEBUG.
#define KDB_CHECK(cond, ...)                                                      \
  do {                                                                            \
    if (!(cond)) [[unlikely]]                                                     \
      ::kdb::CheckFailed(__FILE__, __LINE__, #cond, fmt::format("" __VA_ARGS__)); \
  } while (false)

#ifdef NDEBUG
#define KDB_DCHECK(cond, ...)                \
  do {                                       \
    if (false) KDB_CHECK(cond, __VA_ARGS__); \
  } while (false)
#else
#define KDB_DCHECK(cond, ...) KDB_CHECK(cond, __VA_ARGS__)
#endif
