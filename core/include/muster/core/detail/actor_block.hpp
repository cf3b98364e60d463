#pragma once

#include <muster/core/detail/client.hpp>

#include <cstdint>
#include <memory>
#include <utility>

/// The state behind handles of an actor. Private to the library.
namespace muster::detail {

/// What the copies of a handle share; the last one's end tells the rank that it holds one less.
class ActorBlock {
public:
    ActorBlock(std::shared_ptr<Client> client,
               ObjectId actor,
               std::uint32_t pending_calls_max,
               bool replays)
        : client_(std::move(client)), actor_(actor), pending_calls_max_(pending_calls_max),
          replays_(replays) {}

    ActorBlock(const ActorBlock&) = delete;
    ActorBlock& operator=(const ActorBlock&) = delete;

    ~ActorBlock() { client_->release_actor(actor_); }

    [[nodiscard]] const std::shared_ptr<Client>& client() const { return client_; }

    [[nodiscard]] ObjectId actor() const { return actor_; }

    [[nodiscard]] std::uint32_t pending_calls_max() const { return pending_calls_max_; }

    /// ActorOptions::replay.
    [[nodiscard]] bool replays() const { return replays_; }

private:
    std::shared_ptr<Client> client_;
    ObjectId actor_;
    std::uint32_t pending_calls_max_;
    bool replays_;
};

/// Throws Error (ErrorCode::object_lost) unless the actor belongs to the calling thread's run.
void check_same_run(const ActorBlock& block);

/// Throws Error (ErrorCode::usage): a handle names no actor.
[[noreturn]] void throw_empty_handle();

/// Throws Error (ErrorCode::object_lost): a handle of another run was found in a value.
[[noreturn]] void throw_handle_of_another_run(ObjectId actor);

} // namespace muster::detail
