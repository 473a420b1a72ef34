#include "pkg/proxy/catalog_admin.h"

#include <utility>

namespace kdb::proxy {
namespace {

using std::chrono::milliseconds;

constexpr auto kQueryTimeout = milliseconds(2000);
constexpr auto kChangeTimeout = milliseconds(60000);
constexpr size_t kMaxWaiting = 64;  // calls; more are refused

class MetaCatalogAdmin final : public CatalogAdmin {
 public:
  MetaCatalogAdmin(std::vector<std::string> seeds, Random random)
      : meta_(Options(std::move(seeds)), random),
        queries_(NewThreadExecutor("meta-query")),
        changes_(NewThreadExecutor("meta-change")) {}
  // Ends the calls under way, so that the threads can be joined.
  ~MetaCatalogAdmin() override { meta_.Cancel(); }

  void Query(QueryDone done) override {
    if (queries_->Backlog() >= kMaxWaiting) return done(TooMany());
    queries_->Post([this, done = std::move(done)]() mutable { done(meta_.Query(kQueryTimeout)); });
  }
  void Join(uint64_t gid, std::vector<std::string> addresses, Done done) override {
    Change(std::move(done), [this, gid, addresses = std::move(addresses)] {
      return meta_.Join(gid, addresses, kChangeTimeout);
    });
  }
  void Leave(uint64_t gid, Done done) override {
    Change(std::move(done), [this, gid] { return meta_.Leave(gid, kChangeTimeout); });
  }
  void Move(uint64_t gid, std::vector<uint32_t> slots, Done done) override {
    Change(std::move(done), [this, gid, slots = std::move(slots)] {
      return meta_.Move(gid, slots, kChangeTimeout);
    });
  }
  void Learn(const std::vector<std::string>& meta_servers) override { meta_.Learn(meta_servers); }

 private:
  static rpc::MetaClientOptions Options(std::vector<std::string> seeds) {
    rpc::MetaClientOptions options;
    options.seeds = std::move(seeds);
    return options;
  }
  static absl::Status TooMany() {
    return absl::ResourceExhaustedError("too many calls to meta are waiting");
  }

  template <typename Call>
  void Change(Done done, Call call) {
    if (changes_->Backlog() >= kMaxWaiting) return done(TooMany());
    changes_->Post([done = std::move(done), call = std::move(call)]() mutable { done(call()); });
  }

  rpc::MetaClient meta_;
  // A change may take long; questions do not wait for it.
  std::unique_ptr<Executor> queries_;
  std::unique_ptr<Executor> changes_;
};

// For a proxy that was given kv servers only: they serve the catalog, and cannot change it.
class NoMeta final : public CatalogAdmin {
 public:
  void Query(QueryDone done) override { done(Unavailable()); }
  void Join(uint64_t, std::vector<std::string>, Done done) override { done(Unavailable()); }
  void Leave(uint64_t, Done done) override { done(Unavailable()); }
  void Move(uint64_t, std::vector<uint32_t>, Done done) override { done(Unavailable()); }

 private:
  static absl::Status Unavailable() {
    return absl::UnavailableError("this proxy was not given the addresses of meta servers");
  }
};

}  // namespace

std::unique_ptr<CatalogAdmin> NewMetaCatalogAdmin(std::vector<std::string> meta_seeds,
                                                  Random random) {
  if (meta_seeds.empty()) return std::make_unique<NoMeta>();
  return std::make_unique<MetaCatalogAdmin>(std::move(meta_seeds), random);
}

}  // namespace kdb::proxy
