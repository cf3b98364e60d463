#pragma once

#include "runtime/isolate/processes.hpp"
#include "runtime/isolate/session.hpp"
#include "wire/actions.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace muster::runtime::isolate {

/// An actor that lives in a process of its own, and is made again in another one when that dies:
/// from its constructor's arguments and its last saved state, as often as it may be restarted.
///
/// The call in which it died fails (FailureRecord::Kind::restarted). If its calls are replayed, the
/// new one is given those since the save again, in their order, and then that call as well.
/// Why that is exact: docs/design/0011-actor-restarts.md.
///
/// Threads: one at a time, which has the actor's turn.
class IsolatedActor {
public:
    /// @param constructor  With its arguments, which are kept as long as it may be made again.
    IsolatedActor(Processes& processes,
                  wire::ReadyTask constructor,
                  Bytes memory_limit,
                  Granted granted);

    /// Makes it, for the first time.
    [[nodiscard]] Session::Outcome construct(const detail::CurrentTask& current);

    /// Runs a call, in a new process if the last one has died.
    [[nodiscard]] Session::Outcome call(const wire::ReadyTask& call,
                                        const detail::CurrentTask& current);

    /// Whether it can be saved, or is to be made again first.
    [[nodiscard]] bool alive() const { return session_ != nullptr && session_->alive(); }

    /// What it gives to be saved. Counts once it is told so by saved().
    [[nodiscard]] Session::Outcome save(const detail::CurrentTask& current);
    void saved(Buffer state);

    /// Its destructor runs, if it lives, and its process ends.
    void destroy(const detail::CurrentTask& current);

private:
    Session::Outcome make(const detail::CurrentTask& current, Session::OnStop on_stop);
    Session::Outcome run(const wire::ReadyTask& call, const detail::CurrentTask& current);
    bool revive(const detail::CurrentTask& current);
    void keep_what_is_needed();
    [[nodiscard]] bool died();

    Processes& processes_;
    wire::ReadyTask constructor_;
    Bytes memory_limit_;
    Granted granted_;
    bool replays_ = false;
    std::uint32_t restarts_left_ = 0;
    std::optional<Buffer> saved_;
    std::vector<wire::ReadyTask> unsaved_; ///< Calls since then, if they are replayed.
    std::unique_ptr<Session> session_; ///< Null if the constructor failed when it was made again.
    Session::Outcome unmade_;          ///< Why.
};

} // namespace muster::runtime::isolate
