#include "pkg/proxy/local_command.h"

#include <unordered_map>

namespace kdb::proxy {
namespace {

std::unordered_map<std::string_view, LocalHandler> AllRows() {
  std::unordered_map<std::string_view, LocalHandler> all;
  for (std::span<const LocalRow> rows : {ConnectionRows(), CatalogRows(), ClientRows(),
                                         ConfigRows(), ReplicationRows(), ServerRows()}) {
    for (const LocalRow& row : rows) all.emplace(row.name, row.handler);
  }
  return all;
}

}  // namespace

LocalHandler FindLocalHandler(std::string_view name) {
  static const auto kRows = AllRows();
  auto row = kRows.find(name);
  return row == kRows.end() ? nullptr : row->second;
}

}  // namespace kdb::proxy
