#include "pkg/storage/persistent_map.h"

#include <vector>

#include "pkg/base/siphash.h"

namespace kdb::storage {
namespace {

uint64_t Priority(std::string_view key) {
  return SipHash24(SipKey{0x6b64622d74726561, 0x702d7072696f7269}, key);
}

}  // namespace

struct PersistentMap::Node {
  std::string key;
  std::string value;
  uint64_t priority;
  Tree left;
  Tree right;
  uint64_t bytes;  // of the keys and values of the subtree

  Node(std::string_view key, std::string_view value, uint64_t priority)
      : key(key), value(value), priority(priority), bytes(key.size() + value.size()) {}

  void SetChildren(Tree l, Tree r) {
    left = std::move(l);
    right = std::move(r);
    bytes = key.size() + value.size() + (left == nullptr ? 0 : left->bytes) +
            (right == nullptr ? 0 : right->bytes);
  }
};

PersistentMap::Tree PersistentMap::Copy(const Node& node, Tree left, Tree right) {
  auto copy = std::make_shared<Node>(node.key, node.value, node.priority);
  copy->SetChildren(std::move(left), std::move(right));
  return copy;
}

std::pair<PersistentMap::Tree, PersistentMap::Tree> PersistentMap::Split(const Tree& tree,
                                                                         std::string_view key) {
  if (tree == nullptr) return {};
  if (tree->key < key) {
    auto [middle, rest] = Split(tree->right, key);
    return {Copy(*tree, tree->left, std::move(middle)), std::move(rest)};
  }
  auto [rest, middle] = Split(tree->left, key);
  return {std::move(rest), Copy(*tree, std::move(middle), tree->right)};
}

PersistentMap::Tree PersistentMap::Join(const Tree& left, const Tree& right) {
  if (left == nullptr) return right;
  if (right == nullptr) return left;
  if (left->priority > right->priority) return Copy(*left, left->left, Join(left->right, right));
  return Copy(*right, Join(left, right->left), right->right);
}

PersistentMap::Tree PersistentMap::Insert(const Tree& tree, std::shared_ptr<Node> node) {
  if (tree != nullptr && node->key == tree->key) {
    node->SetChildren(tree->left, tree->right);
    return node;
  }
  if (tree == nullptr || node->priority > tree->priority) {
    auto [left, right] = Split(tree, node->key);
    node->SetChildren(std::move(left), std::move(right));
    return node;
  }
  if (node->key < tree->key) return Copy(*tree, Insert(tree->left, std::move(node)), tree->right);
  return Copy(*tree, tree->left, Insert(tree->right, std::move(node)));
}

PersistentMap::Tree PersistentMap::Remove(const Tree& tree, std::string_view key) {
  if (key == tree->key) return Join(tree->left, tree->right);
  if (key < tree->key) return Copy(*tree, Remove(tree->left, key), tree->right);
  return Copy(*tree, tree->left, Remove(tree->right, key));
}

const std::string* PersistentMap::Find(std::string_view key) const {
  const Node* node = root_.get();
  while (node != nullptr) {
    int order = key.compare(node->key);
    if (order == 0) return &node->value;
    node = order < 0 ? node->left.get() : node->right.get();
  }
  return nullptr;
}

uint64_t PersistentMap::bytes() const { return root_ == nullptr ? 0 : root_->bytes; }

PersistentMap PersistentMap::With(std::string_view key, std::string_view value) const {
  return PersistentMap(Insert(root_, std::make_shared<Node>(key, value, Priority(key))));
}

PersistentMap PersistentMap::Without(std::string_view key) const {
  return Find(key) == nullptr ? *this : PersistentMap(Remove(root_, key));
}

PersistentMap PersistentMap::WithoutRange(std::string_view begin, std::string_view end) const {
  if (begin >= end) return *this;
  auto [below, rest] = Split(root_, begin);
  return PersistentMap(Join(below, Split(rest, end).second));
}

// The position is the path from the root: nodes have no parent pointers, since versions share them.
class PersistentMap::TreeIterator final : public Iterator {
 public:
  TreeIterator(Tree root, std::string_view lower, std::string_view upper)
      : root_(std::move(root)), lower_(lower), upper_(upper) {}

  bool Valid() const override { return !path_.empty(); }
  void SeekToFirst() override { SeekFrom(lower_); }
  void SeekToLast() override {
    if (upper_.empty()) {
      path_.clear();
      DescendRight(root_.get());
    } else {
      LastWhere([this](const Node& node) { return node.key < upper_; });
    }
    ApplyBounds();
  }
  void Seek(std::string_view key) override { SeekFrom(key < lower_ ? lower_ : key); }
  void SeekForPrev(std::string_view key) override {
    if (!upper_.empty() && key >= upper_) return SeekToLast();
    LastWhere([key](const Node& node) { return node.key <= key; });
    ApplyBounds();
  }
  void Next() override {
    const Node* node = path_.back();
    if (node->right != nullptr) {
      DescendLeft(node->right.get());
    } else {
      Ascend([](const Node& parent) { return parent.right.get(); });
    }
    ApplyBounds();
  }
  void Prev() override {
    const Node* node = path_.back();
    if (node->left != nullptr) {
      DescendRight(node->left.get());
    } else {
      Ascend([](const Node& parent) { return parent.left.get(); });
    }
    ApplyBounds();
  }
  std::string_view key() const override { return path_.back()->key; }
  std::string_view value() const override { return path_.back()->value; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  void DescendLeft(const Node* node) {
    for (; node != nullptr; node = node->left.get()) path_.push_back(node);
  }
  void DescendRight(const Node* node) {
    for (; node != nullptr; node = node->right.get()) path_.push_back(node);
  }
  // Up to the first ancestor that we are not behind of: `side` is the child we may not come from.
  template <typename Side>
  void Ascend(Side side) {
    const Node* child;
    do {
      child = path_.back();
      path_.pop_back();
    } while (!path_.empty() && side(*path_.back()) == child);
  }
  // The first node with key >= `key`.
  void SeekFrom(std::string_view key) {
    path_.clear();
    size_t best = 0;
    for (const Node* node = root_.get(); node != nullptr;) {
      path_.push_back(node);
      bool at_or_above = node->key >= key;
      if (at_or_above) best = path_.size();
      node = at_or_above ? node->left.get() : node->right.get();
    }
    path_.resize(best);
    ApplyBounds();
  }
  // The last node for which `below` holds; it holds for a prefix of the keys.
  template <typename Predicate>
  void LastWhere(Predicate below) {
    path_.clear();
    size_t best = 0;
    for (const Node* node = root_.get(); node != nullptr;) {
      path_.push_back(node);
      bool ok = below(*node);
      if (ok) best = path_.size();
      node = ok ? node->right.get() : node->left.get();
    }
    path_.resize(best);
  }
  void ApplyBounds() {
    if (path_.empty()) return;
    std::string_view key = path_.back()->key;
    if (key < lower_ || (!upper_.empty() && key >= upper_)) path_.clear();
  }

  const Tree root_;
  const std::string lower_;
  const std::string upper_;
  std::vector<const Node*> path_;
};

std::unique_ptr<Iterator> PersistentMap::NewIterator(std::string_view lower,
                                                     std::string_view upper) const {
  return std::make_unique<TreeIterator>(root_, lower, upper);
}

}  // namespace kdb::storage
