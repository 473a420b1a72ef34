// The commands of TextDriver that move Readies and messages.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "pkg/raft/describe_test.h"
#include "pkg/raft/text_driver_test.h"

namespace kdb::raft {
namespace {

bool Named(const std::vector<NodeId>& ids, NodeId id) {
  return ids.empty() || std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

void TextDriver::Post(std::vector<Message> messages) {
  for (Message& m : messages) {
    if (!isolated_.contains(m.from) && !isolated_.contains(m.to)) network_.push_back(std::move(m));
  }
}

void TextDriver::TakeReady(NodeId id) {
  Ready r = Node(id).Take();
  Print(fmt::format("> {} ready {}\n{}", id, r.seq, Describe(r)));
  Post(std::move(r.messages));
}

void TextDriver::PersistAll(NodeId id) {
  while (Node(id).HasUnpersisted()) Post(Node(id).PersistNext());
}

bool TextDriver::DeliverTo(NodeId id) {
  bool any = false;
  for (size_t i = 0; i < network_.size();) {
    if (network_[i].to != id) {
      ++i;
      continue;
    }
    Message m = std::move(network_[i]);
    network_.erase(network_.begin() + static_cast<std::ptrdiff_t>(i));
    Print(fmt::format("> {} receives {}\n", id, Describe(m)));
    if (nodes_.contains(id)) Node(id).raft().Step(std::move(m));
    any = true;
  }
  if (any) PrintRoles();
  return any;
}

// process-ready ID: one Ready is taken and its writes stay under way.
void TextDriver::ProcessReady(const Command& c) {
  NodeId id = c.Number(0);
  if (Node(id).raft().HasReady()) {
    TakeReady(id);
  } else {
    Print("no ready\n");
  }
}

// persist ID [COUNT]: the oldest writes under way are durable.
void TextDriver::Persist(const Command& c) {
  SimNode& node = Node(c.Number(0));
  uint64_t n = c.words.size() > 1 ? c.Number(1) : ~0ull;
  for (; n > 0 && node.HasUnpersisted(); --n) {
    std::vector<Message> messages = node.PersistNext();
    for (const Message& m : messages) Print(fmt::format("> {} sends {}\n", node.id(), Describe(m)));
    Post(std::move(messages));
  }
}

void TextDriver::Deliver(const Command& c) {
  for (NodeId id : c.words.empty() ? All() : c.Numbers()) DeliverTo(id);
}

// drop-msgs [from=..] [to=..]: messages on their way are lost.
void TextDriver::Drop(const Command& c) {
  std::vector<NodeId> from = c.List("from");
  std::vector<NodeId> to = c.List("to");
  std::deque<Message> kept;
  for (Message& m : network_) {
    if (Named(from, m.from) && Named(to, m.to)) {
      Print(fmt::format("> lost {}\n", Describe(m)));
    } else {
      kept.push_back(std::move(m));
    }
  }
  network_ = std::move(kept);
}

// stabilize [IDS] [async=IDS]: until nothing happens any more. Writes of `async` nodes stay under
// way.
void TextDriver::Stabilize(const Command& c) {
  std::vector<NodeId> ids = c.words.empty() ? All() : c.Numbers();
  std::vector<NodeId> async = c.List("async");
  for (bool progress = true; progress;) {
    progress = false;
    for (NodeId id : ids) progress |= DeliverTo(id);
    for (NodeId id : ids) {
      for (; Node(id).raft().HasReady(); progress = true) TakeReady(id);
      PrintRoles();
      if (async.empty() || !Named(async, id)) {
        progress |= Node(id).HasUnpersisted();
        PersistAll(id);
      }
    }
    PrintRoles();
  }
}

void TextDriver::Isolate(const Command& c) {
  for (NodeId id : c.Numbers()) isolated_.insert(id);
}

void TextDriver::Heal(const Command& c) {
  if (c.words.empty()) isolated_.clear();
  for (NodeId id : c.Numbers()) isolated_.erase(id);
}

}  // namespace kdb::raft
