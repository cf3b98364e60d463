#pragma once

#include "wire/actions.hpp"

#include <map>
#include <optional>
#include <vector>

namespace muster::store {

/// The values one rank keeps, and the ones it is fetching.
///
/// A value too large to travel in a message stays with the rank that made it, and is pulled by
/// those that need it: one Fetch there, FetchStarted and one bulk transfer back. A fetched copy is
/// kept until the object's owner says Drop, so a value that many tasks of a rank take is fetched
/// once.
///
/// Pure: no MPI, threads, clock or randomness. Buffers are shared, not copied.
class Store {
public:
    /// Who is told when a fetch ends: a task that depends on the value, or a local future.
    struct Waiter {
        bool is_task = false;
        TaskId task{};
    };

    struct Arrival {
        ObjectId object{};
        std::optional<Buffer> value; ///< Nothing: the holder does not have it.
        std::vector<Waiter> waiters;
        bool lost_with_holder = false; ///< The holder's rank is lost.
    };

    explicit Store(Rank self) : self_(self) {}

    void keep(ObjectId object, Buffer value);
    /// The outcome of a value made here: kept if it is larger than `inline_bytes_max`.
    [[nodiscard]] wire::Outcome settle(ObjectId object, Buffer value, std::size_t inline_bytes_max);
    [[nodiscard]] const Buffer* find(ObjectId object) const;
    void drop(const wire::Drop& message);

    /// Asks `holder` for an object of `size` bytes, unless it is under way already.
    void fetch(ObjectId object,
               Rank holder,
               std::uint64_t size,
               const Waiter& waiter,
               wire::Actions& actions);

    /// Puts into `values` what is here of a task's dependencies, by position, and fetches the rest
    /// for it. @return how many are fetched; the same object twice is one fetch with two waiters.
    std::uint32_t collect(TaskId task,
                          std::vector<wire::Dependency>& dependencies,
                          std::vector<Buffer>& values,
                          wire::Actions& actions);

    void on_fetch(Rank from, const wire::Fetch& message, wire::Actions& actions) const;
    void on_fetch_started(const wire::FetchStarted& message, wire::Actions& actions) const;
    [[nodiscard]] Arrival on_bulk_received(std::uint64_t transfer, Buffer value);
    [[nodiscard]] Arrival on_fetch_failed(const wire::FetchFailed& message);
    /// A rank is lost: what is fetched from it will not come.
    [[nodiscard]] std::vector<Arrival> on_lost(Rank rank);

    [[nodiscard]] std::size_t object_count() const { return objects_.size(); }

    [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }

    [[nodiscard]] bool fetching() const { return !fetches_.empty(); }

private:
    struct Pending {
        Rank holder{};
        std::uint64_t size = 0;
        std::vector<Waiter> waiters;
        bool dropped = false; ///< Nobody needs it after the waiters.
    };

    Rank self_;
    std::map<ObjectId, Buffer> objects_;
    std::map<ObjectId, Pending> fetches_;
    std::map<std::uint64_t, ObjectId> transfers_;
    std::uint64_t last_transfer_ = 0;
    std::uint64_t size_bytes_ = 0;
};

} // namespace muster::store
