#pragma once

#include "transport/sleeper.hpp"

#include <muster/base/clock.hpp>
#include <muster/base/ids.hpp>
#include <muster/core/buffer.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace muster::transport {

/// Who takes part: the same on every rank except for `rank`.
struct World {
    Rank rank{};                      ///< This endpoint.
    std::int32_t size = 1;            ///< Number of ranks, at least 1.
    std::vector<NodeId> node_of;      ///< By rank: the machine it runs on; nodes count up from 0.
    std::vector<std::string> host_of; ///< By rank: the host's name, for people.
};

/// What poll() reports to. Calls come from inside poll() only, on its thread. An implementation
/// may call send(), send_bulk(), receive_bulk() and forget() back, but not poll(), close() or those
/// that sleep, and lets no exception escape.
class Sink {
public:
    virtual ~Sink() = default;

    /// A packet from `from`. `packet` is valid during the call only.
    virtual void on_packet(Rank from, std::span<const std::byte> packet) = 0;

    /// The data of send_bulk(to, transfer, …) has left; the transport no longer holds its Buffer.
    /// It does not say that the receiver has it all.
    virtual void on_bulk_sent(Rank to, std::uint64_t transfer) = 0;

    /// The memory given to receive_bulk(from, transfer, …) is complete and the caller's again.
    virtual void on_bulk_received(Rank from, std::uint64_t transfer) = 0;
};

/// Moves packets and bulk data between the ranks of a world: threads of one process, or MPI.
///
/// What it promises: nothing is lost or duplicated while both ends live; packets of one pair
/// (from, to) arrive in the order in which they were sent; nothing is promised between pairs, nor
/// between packets and bulk data. What it leaves to others: flow control (wire/link.hpp bounds the
/// packets under way per pair; the transport itself queues without bound) and noticing lost peers
/// (until forget(), sends to a dead rank may stay pending for ever).
///
/// Threads: every call except wake(), call() and sleep() comes from one thread at a time, but not
/// always the same. wake() and call() may come from any thread at any time between construction
/// and close().
///
/// Errors: a call throws Error when the environment fails (MPI reports an error), naming the rank
/// and what failed; the endpoint is then good for close(false) only.
class Transport {
public:
    /// Chosen below the eager limit of every MPI in use, so that a packet to a dying rank is never
    /// in the middle of a rendezvous.
    static constexpr std::size_t packet_bytes_max = 4096;

    /// Transfers under way at the same time from one rank to another differ modulo this: MPI's tags
    /// are small. Numbers taken from a counter do.
    static constexpr std::uint64_t transfer_modulus = std::uint64_t{1} << 20;

    Transport() = default;
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    virtual ~Transport() = default;

    [[nodiscard]] virtual const World& world() const = 0;

    /// Sends a copy of `packet` (0 to packet_bytes_max bytes) to another rank. Never blocks.
    virtual void send(Rank to, std::span<const std::byte> packet) = 0;

    /// Sends `data` to the rank that calls receive_bulk() with the same transfer number and exactly
    /// as many bytes, before or after this call. Never blocks; keeps `data` alive until
    /// on_bulk_sent().
    ///
    /// The receiver chooses the number; see transfer_modulus. Any number of transfers may be under
    /// way at once, in any order. Zero bytes are allowed: the receiver still hears of the end.
    virtual void send_bulk(Rank to, std::uint64_t transfer, Buffer data) = 0;

    /// Receives the data of send_bulk(…, transfer, …) of rank `from` into the caller's memory,
    /// which must stay in place and untouched until on_bulk_received(). See send_bulk().
    virtual void receive_bulk(Rank from, std::uint64_t transfer, std::span<std::byte> into) = 0;

    /// The peer is lost: dead, or declared dead. There is no way back, and it may still live.
    ///
    /// What was sent to it is abandoned, and sends_pending() no longer counts it; what it sent and
    /// what was posted to receive from it is never reported, also if it had arrived. Later sends to
    /// it, and receives from it, are dropped at once. All other ranks are served as before. Never
    /// blocks; forgetting a peer twice is forgetting it once.
    ///
    /// Memory given to receive_bulk() from it may still be written to until the process ends, by a
    /// transfer that was under way: the caller keeps it and reads nothing in it. Data given to
    /// send_bulk() is kept here as long as that is so.
    ///
    /// After it only close(false) ends the endpoint's life, with MPI.
    virtual void forget(Rank peer) = 0;

    /// Something is about to be sent to it: it had better wake up, if it is near. Costs a load if
    /// it is awake.
    virtual void alert(Rank peer) noexcept = 0;

    /// Makes progress and reports what happened since the last call. Never blocks; bounded work.
    /// Returns whether anything happened; the caller sleeps only after a poll that returned false
    /// (how long it spins before that is the caller's choice).
    virtual bool poll(Sink& sink) = 0;

    /// Waits until `deadline` at the latest. Returns early, possibly for no reason, when wake() was
    /// called since the last sleep_until() returned, or when a peer may have sent something, or
    /// when progress needs another poll(). The caller polls after every sleep.
    ///
    /// No wake-up is lost: what a peer sends, or a thread signals, between the last poll() and the
    /// sleep ends the sleep (or is found within a bounded time, for peers on other nodes).
    void sleep_until(TimePoint deadline) {
        if (const auto until = prepare_sleep(Sleeper::host, deadline)) {
            sleep(Sleeper::host, *until);
            rise();
        }
    }

    // The three steps of sleep_until(), for threads that relieve each other. After prepare_sleep()
    // another thread may take over the transport, also while the first sleeps: it calls rise()
    // first, in place of the sleeper. It may prepare its own sleep, or again that of the first,
    // which then goes on with the sleep that it never left.

    /// Whom the next ring wakes: `who`. Returns until when to sleep at the latest, or nothing if
    /// there is a reason to poll instead.
    [[nodiscard]] virtual std::optional<TimePoint> prepare_sleep(Sleeper who,
                                                                 TimePoint deadline) = 0;

    /// Blocks until `who` is rung or called, or until then; may return early. Touches nothing but
    /// the doorbell, so another thread may use the transport meanwhile.
    virtual void sleep(Sleeper who, TimePoint until) noexcept = 0;

    /// After a prepared sleep: rings wake nobody now. The caller polls. @return whether it was
    /// rung.
    virtual bool rise() = 0;

    /// Ends the sleep of `who` even if another has taken over, or keeps it from starting.
    virtual void call(Sleeper who) noexcept = 0;

    /// Ends the current sleep, or keeps the next one from starting. Any thread, and signal
    /// handlers; a few nanoseconds when nobody sleeps.
    virtual void wake() noexcept = 0;

    /// Whether packets or bulk data handed over have not left yet.
    [[nodiscard]] virtual bool sends_pending() const = 0;

    /// For code that calls MPI itself: an MPI_Comm of these ranks, in their order, behind a
    /// pointer. Collective over them, and blocking; kept for the next call with the same ranks,
    /// until close(). One call at a time; from any thread, if the MPI allows several.
    ///
    /// @throws Error (infeasible) without MPI, or with one that allows a single thread only.
    virtual const void* raw_communicator(std::span<const Rank> members) = 0;

    /// Why raw_communicator() cannot be had: a sentence; empty if it can.
    [[nodiscard]] virtual std::string no_raw_communicator() const = 0;

    /// Ends the endpoint's life; only destruction may follow.
    ///
    /// @param orderly  True: every rank has agreed that the run is over and calls this with true,
    ///                 and everything that was sent has been received; with MPI it is collective
    ///                 and finalizes. False: a peer was lost or this rank gives up: makes no call
    ///                 that could wait for a peer, and the process must end by _exit().
    virtual void close(bool orderly) = 0;
};

} // namespace muster::transport
