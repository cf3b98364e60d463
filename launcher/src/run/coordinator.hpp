#pragma once

#include "run/group.hpp"
#include "run/loop.hpp"
#include "run/output.hpp"
#include "run/sockets.hpp"
#include "run/supervisor.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace muster::launcher::run {

/// Carries out what the Group decides: by the supervisor in this process, and by those that
/// connect.
class Coordinator {
public:
    Coordinator(Loop& loop, GroupOptions options, Output& output, std::string secret);

    Coordinator(const Coordinator&) = delete;
    Coordinator& operator=(const Coordinator&) = delete;

    /// Others may connect.
    void listen(Listener listener);

    /// The node of this process, if it is one.
    void set_local(Supervisor& supervisor) { local_ = &supervisor; }

    /// Taken up in the loop's next round, so that nothing happens in the middle of anything.
    void post(Event event) { events_.push_back(std::move(event)); }

    void tick();
    [[nodiscard]] std::optional<TimePoint> deadline() const;

    [[nodiscard]] bool finished() const { return code_.has_value(); }

    [[nodiscard]] int code() const { return code_.value_or(1); }

    /// What muster-rank has said, once.
    [[nodiscard]] std::optional<int> take_rank_code() {
        return std::exchange(rank_code_, std::nullopt);
    }

private:
    struct Peer {
        std::unique_ptr<Connection> connection;
        std::optional<NodeId> node; ///< Once it has said Hello.
        TimePoint since;
    };

    void accept_all();
    void heard(int id, const Message& message);
    void ended(int id, const std::string& why);
    void carry_out(const Action& action);
    void order(NodeId node, const Message& message);

    Loop& loop_;
    Group group_;
    Output& output_;
    std::string secret_;
    Listener listener_;
    Supervisor* local_ = nullptr;
    std::deque<Event> events_;
    std::map<int, Peer> peers_;
    std::vector<int> done_; ///< Peers to be forgotten, not in the middle of their own call.
    int next_peer_ = 0;
    std::optional<int> code_;
    std::optional<int> rank_code_;
};

} // namespace muster::launcher::run
