// An immutable ordered map of byte strings; a change makes a new map that shares all but O(log n)
// nodes with the old one, so that every version is a snapshot for free.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "pkg/storage/engine.h"

namespace kdb::storage {

// A treap (Seidel, Aragon: "Randomized Search Trees", 1996) with path copying. A node's priority is
// a hash of its key, so the shape depends on the content alone. Copying is cheap. Thread-safe as an
// immutable value.
class PersistentMap {
 public:
  PersistentMap() = default;

  // nullptr when the key is not there; else valid as long as this map or one that still shares the
  // node.
  const std::string* Find(std::string_view key) const;
  PersistentMap With(std::string_view key, std::string_view value) const;
  PersistentMap Without(std::string_view key) const;
  PersistentMap WithoutRange(std::string_view begin, std::string_view end) const;
  uint64_t bytes() const;  // of all keys and values
  // Holds this version alive.
  std::unique_ptr<Iterator> NewIterator(std::string_view lower, std::string_view upper) const;

 private:
  struct Node;
  // Shared by every version that contains the subtree.
  using Tree = std::shared_ptr<const Node>;
  class TreeIterator;

  explicit PersistentMap(Tree root) : root_(std::move(root)) {}

  static Tree Copy(const Node& node, Tree left, Tree right);
  // Keys < key, and the others.
  static std::pair<Tree, Tree> Split(const Tree& tree, std::string_view key);
  // Every key of `left` is below every key of `right`.
  static Tree Join(const Tree& left, const Tree& right);
  static Tree Insert(const Tree& tree, std::shared_ptr<Node> node);
  static Tree Remove(const Tree& tree, std::string_view key);

  Tree root_;
};

}  // namespace kdb::storage
