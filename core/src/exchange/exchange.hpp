#pragma once

#include "wire/actions.hpp"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace muster::exchange {

/// The messages between members of gangs, as far as they concern one rank: what its members send,
/// what they wait for, and what has come before anybody waited.
///
/// A member exists from open() to close(), a gang until the last member's end(). Messages may come
/// before a member is opened (its rank gets them and the order to start from different ranks) and
/// are kept. Between close() and end() it is not known yet whether the member failed: messages
/// wait; what comes after is refused.
///
/// Of a failure nobody hears here but by the word that goes to every rank: what is offered to a
/// gang that failed, or asked of it, is not answered. An answer could overtake the word of the
/// failure, and who gets it would fail by itself, as if it had been the first.
///
/// Whoever waits is answered: by the message, or by the failure of a member, or because the other
/// member returned. Memory that was handed in is not touched after its operation was settled: a
/// transfer under way is awaited, one that was given up is not begun.
///
/// Pure: no MPI, threads, clock or randomness.
///
/// Invariants, checked by check_invariants():
///   1. Of one address, receives that wait and messages that wait are never there together.
///   2. An offer is in `offers_` until it was accepted or refused, a transfer that is received in
///      `transfers_` until its bytes came.
class Exchange {
public:
    static constexpr std::size_t data_bytes_max = std::size_t{16}
                                                  << 10; ///< Longer ones are offered.

    struct Config {
        Rank self{};
        std::size_t closed_max = 4096; ///< Gangs remembered after their end.
    };

    explicit Exchange(const Config& config) : config_(config) {}

    /// A member of this rank starts. `port` is handed back if its gang fails; at once if it has.
    void open(LeaseId gang,
              std::vector<Rank> members,
              std::int32_t member,
              std::shared_ptr<void> port,
              wire::Actions& actions);
    /// Its function has returned: it sends and receives no more of the users' messages.
    void returned(LeaseId gang, std::int32_t member, wire::Actions& actions);
    /// Its port is of no use any more: what it still waits for fails.
    void close(LeaseId gang, std::int32_t member, wire::Actions& actions);

    /// The member wants nothing more of what it has sent and waits for; it is settled, if it is not
    /// under way. What it begins later fails.
    void give_up(LeaseId gang, std::int32_t member, const std::string& why, wire::Actions& actions);
    /// The member has ended, whether it was opened or not, and if it failed, on_failed() has told:
    /// what is offered to it is refused. With the last one on this rank its gang is over here.
    void end(LeaseId gang, std::int32_t member, bool is_last, wire::Actions& actions);
    /// No member of the gang will start here any more: if none has, what came for one is dropped,
    /// and so is what comes later.
    void abandon(LeaseId gang);
    /// Those that something is known of.
    [[nodiscard]] std::vector<LeaseId> gangs() const;
    /// The run is over: what is not under way fails, and so does everything later.
    void fall_silent(wire::Actions& actions);

    /// `data` may share the sender's memory if there is a `completion`: it is not read any more
    /// once that is settled. Without one nobody waits for the end, and short data is the message's
    /// own.
    void send(const wire::GangAddress& address,
              Buffer data,
              std::shared_ptr<void> completion,
              wire::Actions& actions);
    void receive(const wire::GangAddress& address,
                 std::byte* into,
                 std::uint64_t size,
                 std::shared_ptr<void> completion,
                 wire::Actions& actions);

    /// A member has waited for this message for a while; its sender's rank is asked, once.
    void ask(const wire::GangAddress& address, wire::Actions& actions);

    void on_data(wire::GangData message, wire::Actions& actions);
    void on_offer(Rank from, const wire::GangOffer& message, wire::Actions& actions);
    void on_accept(Rank from, const wire::GangAccept& message, wire::Actions& actions);
    void on_refuse(const wire::GangRefuse& message, wire::Actions& actions);
    void on_started(const wire::GangStarted& message, wire::Actions& actions);
    void on_withdrawn(const wire::GangWithdrawn& message);
    void on_ask(Rank from, const wire::GangAsk& message, wire::Actions& actions);
    void on_none(const wire::GangNone& message, wire::Actions& actions);
    void on_failed(const wire::GangFailed& message, wire::Actions& actions);
    /// A rank is lost, and the gangs it took part in have failed: no bytes come from it, and
    /// nothing is known of those that were on their way to it.
    void on_lost(Rank rank, wire::Actions& actions);
    /// Of a transfer that this object chose the number of.
    void on_bulk_received(std::uint64_t transfer, wire::Actions& actions);
    /// What was sent in bulk has left, this object's or not.
    void on_bulk_sent(Rank to, std::uint64_t transfer, wire::Actions& actions);

    /// Transfers of this object are odd, those of the store even: a rank numbers what it receives.
    [[nodiscard]] static bool is_own(std::uint64_t transfer) { return transfer % 2 == 1; }

    /// Why the gang failed, if it has.
    [[nodiscard]] const wire::GangFailed* failure(LeaseId gang) const;

    /// Bytes are on their way to this rank, or may be.
    [[nodiscard]] bool receiving() const { return !transfers_.empty(); }

    /// Nothing open, nobody waits, nothing under way.
    [[nodiscard]] bool idle() const;
    [[nodiscard]] std::string describe() const;
    void check_invariants() const;

private:
    /// A message that nobody has asked for yet: its bytes, or the offer of them.
    struct Waiting {
        Buffer data;
        std::optional<std::uint64_t> offer;
        Rank from{};
        std::uint64_t size = 0;
    };

    struct Receive {
        std::byte* into = nullptr;
        std::uint64_t size = 0;
        std::shared_ptr<void> completion;
    };

    struct Gang {
        std::vector<Rank> members; ///< Empty until a member was opened.
        std::map<std::int32_t, std::shared_ptr<void>> ports;
        std::set<std::int32_t> closed;   ///< Have given up, or are closed: begin nothing more.
        std::set<std::int32_t> returned; ///< Their functions have.
        std::set<std::int32_t> ended;
        /// Who asks for what members here have not sent yet.
        std::map<wire::GangAddress, Rank> asked;
        std::optional<wire::GangFailed> failure;
        std::map<wire::GangAddress, std::deque<Waiting>> waiting;
        std::map<wire::GangAddress, std::deque<Receive>> receives;
    };

    struct Offer {
        wire::GangAddress address;
        Rank to{};
        Buffer data;
        std::shared_ptr<void> completion;
    };

    struct Transfer {
        LeaseId gang{};
        std::int32_t member = 0; ///< That receives it.
        Rank from{};
        Receive receive;
        bool started = false;
        bool given_up = false; ///< Its receive was settled before it began.
        bool withdrawn = false;
    };

    void arrive(const wire::GangAddress& address, Waiting message, wire::Actions& actions);
    void take(const wire::GangAddress& address,
              Waiting message,
              Receive receive,
              wire::Actions& actions);
    /// What waits for the member, or is asked of it, will not be: of the users' messages, or of
    /// all.
    void turn_away(Gang& gang, std::int32_t member, bool all, wire::Actions& actions);
    void forget(LeaseId id, bool failed);
    void refuse(const Waiting& message,
                std::string why,
                wire::Actions& actions,
                ErrorCode code = ErrorCode::aborted);
    /// Why a member of the gang can send and receive no more; nothing if it can.
    [[nodiscard]] std::optional<std::string> closed_because(LeaseId gang,
                                                            std::int32_t member) const;
    /// Settles as failed what members of the gang wait for and is not under way; of one, or of all.
    void settle(LeaseId gang,
                std::optional<std::int32_t> member,
                const std::string& why,
                wire::Actions& actions);

    Config config_;
    std::map<LeaseId, Gang> gangs_;
    std::map<LeaseId, bool> closed_; ///< Gangs that are over here, and whether they failed.
    std::deque<LeaseId> closed_order_;
    std::map<std::uint64_t, Offer> offers_;
    std::map<std::uint64_t, Transfer> transfers_; ///< Received.
    std::map<std::pair<Rank, std::uint64_t>, std::shared_ptr<void>>
        sent_; ///< Until they have left.
    bool silent_ = false;
    std::uint64_t last_offer_ = 0;
    std::uint64_t last_transfer_ = 0;
};

} // namespace muster::exchange
