// Splits an inline command into arguments, by the quoting rules of redis-cli and of Redis's inline
// protocol.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kdb::resp {

// Appends the arguments of `line` (without its newline) to `args`: views into `line`, or into
// `unquoted` for those with quotes. "..." knows \n \r \t \b \a \xHH and backslash before any other
// byte; '...' knows only \'. A closing quote must be followed by a space or the end. False when
// quotes are unbalanced. Overwrites `unquoted`.
bool SplitInline(std::string_view line, std::string* unquoted, std::vector<std::string_view>* args);

}  // namespace kdb::resp
