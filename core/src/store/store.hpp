#pragma once

#include "store/lender.hpp"
#include "wire/actions.hpp"

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace muster::store {

/// Where values lie. Answers at once, and always the same of one value.
class Places {
public:
    virtual ~Places() = default;

    /// If other processes of the node could read it where it lies.
    [[nodiscard]] virtual std::optional<wire::SharedPlace> place_of(const Buffer& value) const = 0;
};

/// The values one rank keeps, and the ones it is fetching.
///
/// A value too large to travel in a message stays with the rank that made it, and is pulled by
/// those that need it: one Fetch there, FetchStarted and one bulk transfer back. So that the holder
/// need not send it to everybody, it may be asked for where it is only being fetched: who is asked
/// answers when it has come, and who is told that it has not asks the holder. Within a node it
/// is lent instead, if it lies where others can read it: FetchLent says where, the reader maps it
/// (MapValue, and event ValueMapped), and says LoanEnded when nothing here refers to it any more;
/// until then the holder keeps it, though its owner may have dropped it. What cannot be mapped is
/// fetched. If the owner of a value holds it too, it lends it with the first order to a rank that
/// needs it (lend(), take_loans()), and nothing is asked. A copy, fetched or lent, is kept until
/// the object's owner says Drop, so a value that many tasks of a rank take is fetched once.
///
/// Pure: no MPI, threads, clock or randomness. Buffers are shared, not copied.
class Store final : public Lender {
public:
    struct Config {
        Rank self{};
        std::vector<NodeId> nodes{};    ///< By rank; if it is empty, nothing is lent.
        const Places* places = nullptr; ///< Not owned; without it nothing is lent from here.
    };

    /// Who is told when a fetch ends: a task that depends on the value, or a local future.
    struct Waiter {
        bool is_task = false;
        TaskId task{};
    };

    /// Whom to ask.
    struct From {
        Rank source{}; ///< First: it has a copy, or is fetching one, perhaps.
        Rank holder{}; ///< It has the value, unless that is lost.
    };

    struct Arrival {
        ObjectId object{};
        std::optional<Buffer> value; ///< Nothing: the holder does not have it.
        std::vector<Waiter> waiters;
        bool lost_with_holder = false; ///< The holder's rank is lost.
    };

    explicit Store(Config config) : config_(std::move(config)) {}

    void keep(ObjectId object, Buffer value);
    /// The outcome of a value made here: kept if it is larger than `inline_bytes_max`.
    [[nodiscard]] wire::Outcome settle(ObjectId object, Buffer value, std::size_t inline_bytes_max);
    [[nodiscard]] const Buffer* find(ObjectId object) const;
    void drop(const wire::Drop& message);

    /// Asks for an object of `size` bytes, unless it is under way already.
    void fetch(ObjectId object,
               const From& from,
               std::uint64_t size,
               const Waiter& waiter,
               wire::Actions& actions);

    /// Puts into `values` what is here of a task's dependencies, by position, and fetches the rest
    /// for it. @return how many are fetched; the same object twice is one fetch with two waiters.
    std::uint32_t collect(TaskId task,
                          std::vector<wire::Dependency>& dependencies,
                          std::vector<Buffer>& values,
                          wire::Actions& actions);

    [[nodiscard]] std::optional<wire::Loan> lend(ObjectId object, Rank reader) override;
    /// What `holder` lends with its orders is mapped, or given back at once if it is here already
    /// or on its way. To be called whatever becomes of the orders.
    void take_loans(Rank holder,
                    const std::vector<wire::Dependency>& dependencies,
                    wire::Actions& actions);

    void on_fetch(Rank from, const wire::Fetch& message, wire::Actions& actions);
    void on_fetch_started(const wire::FetchStarted& message, wire::Actions& actions) const;
    void on_fetch_lent(const wire::FetchLent& message, wire::Actions& actions) const;
    /// A value that is lent is here, or could not be mapped, and is fetched after all; nobody waits
    /// if it was to come from a rank that is lost.
    [[nodiscard]] Arrival
    on_mapped(std::uint64_t transfer, std::optional<Buffer> value, wire::Actions& actions);
    /// Nothing here refers any more to what `holder` lent.
    void on_unmapped(Rank holder, std::uint64_t transfer, wire::Actions& actions) const;
    void on_loan_ended(Rank from, const wire::LoanEnded& message);
    [[nodiscard]] Arrival
    on_bulk_received(std::uint64_t transfer, Buffer value, wire::Actions& actions);
    /// Nobody waits if another is asked instead.
    [[nodiscard]] Arrival on_fetch_failed(const wire::FetchFailed& message, wire::Actions& actions);
    /// A rank is lost: what is fetched from it will not come, and what it was lent is not read.
    [[nodiscard]] std::vector<Arrival> on_lost(Rank rank, wire::Actions& actions);

    [[nodiscard]] std::size_t object_count() const { return objects_.size(); }

    [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }

    [[nodiscard]] bool fetching() const { return !fetches_.empty(); }

    [[nodiscard]] bool fetching(ObjectId object) const { return fetches_.contains(object); }

    /// What the rank may be reading as its transfer; null if that is not lent.
    [[nodiscard]] const Buffer* loan(Rank to, std::uint64_t transfer) const {
        const auto place = loans_.find({to, transfer});
        return place == loans_.end() ? nullptr : &place->second;
    }

    /// What may be read elsewhere, by reader and its transfer.
    [[nodiscard]] const std::map<std::pair<Rank, std::uint64_t>, Buffer>& loans() const {
        return loans_;
    }

private:
    /// A rank that asked for what is not here yet.
    struct Asker {
        Rank rank{};
        wire::Fetch message;
    };

    struct Pending {
        Rank asked{};
        Rank holder{};
        std::uint64_t size = 0;
        std::vector<Waiter> waiters;
        std::vector<Asker> askers{};
        bool dropped = false; ///< Nobody needs it after the waiters.
    };

    [[nodiscard]] bool shares_node(Rank rank) const;
    void ask(ObjectId object, const Pending& pending, bool in_place, wire::Actions& actions);
    void answer(Rank to, const wire::Fetch& message, const Buffer& value, wire::Actions& actions);
    /// It will not come from who was asked. @return nothing if the holder is asked now.
    [[nodiscard]] std::optional<Arrival> fail(ObjectId object, bool lost, wire::Actions& actions);

    Config config_;
    std::map<ObjectId, Buffer> objects_;
    std::map<ObjectId, Pending> fetches_;
    std::set<Rank> lost_;
    std::map<std::uint64_t, ObjectId> transfers_;
    /// By reader and its transfer: kept for as long as they are read elsewhere.
    std::map<std::pair<Rank, std::uint64_t>, Buffer> loans_;
    std::uint64_t last_transfer_ = 0;
    std::uint64_t last_loan_ = 0; ///< Of those that nobody had asked for.
    std::uint64_t size_bytes_ = 0;
};

} // namespace muster::store
