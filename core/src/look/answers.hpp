#pragma once

#include "look/server.hpp"
#include "registry/registry.hpp"
#include "wire/actions.hpp"

#include <muster/base/clock.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace muster::look {

/// What of a run answers are made: asked on threads that belong to those who look.
class Source {
public:
    Source() = default;
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual ~Source() = default;

    // Nothing: the run is ending, or nobody has answered.
    [[nodiscard]] virtual std::optional<wire::AnswerStatus> ask_status() = 0;
    [[nodiscard]] virtual std::optional<wire::TaskStatus> ask_task(ObjectId task) = 0;
    [[nodiscard]] virtual std::optional<wire::TasksPage> ask_tasks(Rank rank,
                                                                   wire::TasksWanted question) = 0;
    /// Null while the run begins.
    [[nodiscard]] virtual std::shared_ptr<const wire::AnnounceCluster> announced() const = 0;
};

/// Answers requests about a run: a verb and what stands behind it, `name=value`, in one line. The
/// answer begins with a line of type "hello" and ends with one of type "end", or it was cut off.
class Answers {
public:
    struct Run {
        std::uint64_t id = 0;
        std::int64_t pid = 0;
        std::string job;
        std::string program;
        std::string trace;              ///< The directory; empty: none is written.
        std::vector<std::string> hosts; ///< By rank.
        TimePoint began{};
    };

    Answers(Run run, Source& source, const FunctionTable& functions)
        : run_(std::move(run)), source_(source), functions_(functions) {}

    void answer(std::string_view request, const Server::Say& say) const;

private:
    using Words = std::map<std::string, std::string, std::less<>>;

    void hello(const Server::Say& say) const;
    void status(const Server::Say& say) const;
    void tasks(const Words& words, const Server::Say& say) const;
    void explain(const Words& words, const Server::Say& say) const;
    [[nodiscard]] std::string name_of(FunctionId function) const;
    [[nodiscard]] std::string host_of(Rank rank) const;

    Run run_;
    Source& source_;
    const FunctionTable& functions_;
};

} // namespace muster::look
