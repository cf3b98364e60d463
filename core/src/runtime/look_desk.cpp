#include "runtime/look_desk.hpp"

#include "runtime/rank_client.hpp"

#include <muster/base/log.hpp>

#include <utility>

namespace muster::runtime {

class LookDesk::OfClient final : public look::Source {
public:
    explicit OfClient(RankClient& client) : client_(client) {}

    std::optional<wire::AnswerStatus> ask_status() override { return client_.ask_status(); }

    std::optional<wire::TaskStatus> ask_task(ObjectId task) override {
        return client_.ask_task(task);
    }

    std::optional<wire::TasksPage> ask_tasks(Rank rank, wire::TasksWanted question) override {
        return client_.ask_tasks(rank, std::move(question));
    }

    std::shared_ptr<const wire::AnnounceCluster> announced() const override {
        return client_.announced();
    }

private:
    RankClient& client_;
};

LookDesk::LookDesk(Config config, RankClient& client, const FunctionTable& functions)
    : source_(std::make_unique<OfClient>(client)),
      answers_(std::move(config.run), *source_, functions) {
}

LookDesk::~LookDesk() = default;

std::unique_ptr<LookDesk>
LookDesk::open(Config config, RankClient& client, const FunctionTable& functions) {
    const std::string runtime_directory = config.runtime_directory;
    const std::string job = config.run.job;
    std::unique_ptr<LookDesk> desk(new LookDesk(std::move(config), client, functions));
    auto server = look::Server::open(
        runtime_directory, job, [&of = *desk](std::string_view request, const auto& say) {
            of.answers_.answer(request, say);
        });
    if (!server) {
        log::info("look", "not_looked_at why=\"{}\"", server.error().message);
        return nullptr;
    }
    desk->server_ = std::move(*server);
    return desk;
}

void LookDesk::remove_socket() noexcept {
    server_->remove_socket();
}

} // namespace muster::runtime
