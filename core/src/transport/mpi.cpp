#include "transport/mpi.hpp"

#include "transport/doorbell.hpp"
#include "transport/mpi_call.hpp"
#include "transport/mpi_environment.hpp"
#include "transport/raw_communicators.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <limits>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

namespace muster::transport {

namespace {

using namespace std::chrono_literals;

constexpr int packet_tag = 0;
constexpr std::size_t receives_posted = 32;
constexpr int packets_per_poll = 64;
constexpr std::size_t slots_kept = 256;

// Small enough that a dying peer leaves little half done, large enough to reach full bandwidth.
constexpr std::size_t fragment_bytes = std::size_t{512} << 10;
constexpr std::size_t fragments_in_flight = 4; // per transfer

constexpr Duration remote_sleep_min = 50us; // other nodes cannot ring: look this often at first,
constexpr Duration remote_sleep_max = 1ms;  // and this often when nothing comes
constexpr Duration node_sleep_max = 50ms;   // a bound in case something was overlooked
constexpr Duration stall_grace = 1ms;       // sends pending for longer no longer cost a core
constexpr Duration close_wait_max = 10s;

constexpr std::size_t cache_line = 64;

std::vector<int> all_gather_int(MPI_Comm comm, int own) {
    int size = 0;
    check(MPI_Comm_size(comm, &size), "MPI_Comm_size");
    std::vector<int> all(static_cast<std::size_t>(size));
    check(MPI_Allgather(&own, 1, MPI_INT, all.data(), 1, MPI_INT, comm), "MPI_Allgather");
    return all;
}

std::vector<std::vector<std::byte>> all_gather_bytes(MPI_Comm comm,
                                                     std::span<const std::byte> own) {
    const std::vector<int> counts = all_gather_int(comm, to_count(own.size()));
    std::vector<int> starts(counts.size());
    std::size_t total_bytes = 0;
    for (std::size_t rank = 0; rank < counts.size(); ++rank) {
        starts[rank] = to_count(total_bytes);
        total_bytes += static_cast<std::size_t>(counts[rank]);
    }
    std::vector<std::byte> joined(total_bytes);
    check(MPI_Allgatherv(own.data(),
                         to_count(own.size()),
                         MPI_BYTE,
                         joined.data(),
                         counts.data(),
                         starts.data(),
                         MPI_BYTE,
                         comm),
          "MPI_Allgatherv");
    std::vector<std::vector<std::byte>> all;
    all.reserve(counts.size());
    for (std::size_t rank = 0; rank < counts.size(); ++rank) {
        const auto first = joined.begin() + starts[rank];
        all.emplace_back(first, first + counts[rank]);
    }
    return all;
}

// Every rank's futex word, in memory that the ranks of one node share.
struct NodeBells {
    MPI_Comm node = MPI_COMM_NULL;
    MPI_Win window = MPI_WIN_NULL;
    std::vector<Doorbell*> by_rank; // by rank in the world; null on other nodes
    int first_rank = 0;             // lowest rank in the world on this node

    void open(MPI_Comm world, int rank, int size) {
        check(MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node),
              "MPI_Comm_split_type");
        check(MPI_Comm_set_errhandler(node, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
        void* own = nullptr;
        check(MPI_Win_allocate_shared(cache_line, 1, MPI_INFO_NULL, node, &own, &window),
              "MPI_Win_allocate_shared");
        check(MPI_Win_set_errhandler(window, MPI_ERRORS_RETURN), "MPI_Win_set_errhandler");
        check(MPI_Win_lock_all(MPI_MODE_NOCHECK, window), "MPI_Win_lock_all");
        new (own) Doorbell;
        const std::vector<int> neighbours = all_gather_int(node, rank); // nobody rings before this
        first_rank = neighbours.front();
        by_rank.assign(static_cast<std::size_t>(size), nullptr);
        for (std::size_t i = 0; i < neighbours.size(); ++i) {
            MPI_Aint bytes = 0;
            int unit = 0;
            void* base = nullptr;
            check(MPI_Win_shared_query(window, static_cast<int>(i), &bytes, &unit, &base),
                  "MPI_Win_shared_query");
            by_rank[static_cast<std::size_t>(neighbours[i])] =
                std::launder(reinterpret_cast<Doorbell*>(base));
        }
    }

    // Collective on the node.
    void close() {
        by_rank.clear();
        check(MPI_Win_unlock_all(window), "MPI_Win_unlock_all");
        check(MPI_Win_free(&window), "MPI_Win_free");
        check(MPI_Comm_free(&node), "MPI_Comm_free");
    }
};

using Packet = std::array<std::byte, Transport::packet_bytes_max>;

struct PendingSend {
    Rank to{};
    std::unique_ptr<Packet> packet;
};

struct Transfer {
    Rank peer{};
    std::uint64_t number = 0;
    Buffer data{};                 // outgoing
    std::span<std::byte> memory{}; // incoming
    std::size_t size_bytes = 0;
    bool outgoing = false;
    std::size_t started = 0;   // fragments
    std::size_t completed = 0; // fragments

    // Zero bytes are one fragment of zero bytes: the receiver waits for it.
    [[nodiscard]] std::size_t fragments() const {
        return std::max<std::size_t>(1, (size_bytes + fragment_bytes - 1) / fragment_bytes);
    }

    [[nodiscard]] int tag() const { return static_cast<int>(number % Transport::transfer_modulus); }
};

// All that MPI may still read or write. When a run does not end orderly it is never freed: a
// request to a lost peer may complete at any time.
struct Channels {
    MPI_Comm control = MPI_COMM_NULL;
    MPI_Comm bulk = MPI_COMM_NULL;
    NodeBells bells;

    std::array<Packet, receives_posted> received;
    std::array<MPI_Request, receives_posted> receives;

    std::vector<MPI_Request> send_requests; // parallel to sends
    std::vector<PendingSend> sends;

    std::vector<MPI_Request> fragment_requests; // parallel to fragment_owners
    std::vector<Transfer*> fragment_owners;
    std::vector<std::unique_ptr<Transfer>> transfers;

    // Of forgotten peers. Their requests are let go, so nothing completes them.
    std::vector<PendingSend> abandoned_sends;
    std::vector<std::unique_ptr<Transfer>> abandoned_transfers;

    RawCommunicators raw;
};

class MpiChannels final : public MpiTransport {
public:
    explicit MpiChannels(ThreadLevel level) : level_(level) {
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
        int rank = 0;
        check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "MPI_Comm_rank");
        check(MPI_Comm_size(MPI_COMM_WORLD, &world_.size), "MPI_Comm_size");
        world_.rank = Rank{rank};
        forgotten_.resize(static_cast<std::size_t>(world_.size));
        state_->control = duplicate(MPI_COMM_WORLD);
        state_->bulk = duplicate(MPI_COMM_WORLD);
        state_->raw.open(MPI_COMM_WORLD);
        check_tags();
        state_->bells.open(state_->control, rank, world_.size);
        own_bell_ = state_->bells.by_rank[static_cast<std::size_t>(rank)];
        gather_hosts();
        for (std::size_t i = 0; i < receives_posted; ++i) {
            post_receive(i);
        }
    }

    ~MpiChannels() override {
        if (!finalized_) {
            static_cast<void>(state_.release());
        }
    }

    [[nodiscard]] const World& world() const override { return world_; }

    [[nodiscard]] ThreadLevel thread_level() const override { return level_; }

    [[nodiscard]] std::string library_version() const override {
        std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
        int length = 0;
        check(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
        return {text.data(), static_cast<std::size_t>(length)};
    }

    std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> own) override {
        return all_gather_bytes(state_->control, own);
    }

    void send(Rank to, std::span<const std::byte> packet) override;
    void send_bulk(Rank to, std::uint64_t transfer, Buffer data) override;
    void receive_bulk(Rank from, std::uint64_t transfer, std::span<std::byte> into) override;
    void forget(Rank peer) override;
    bool poll(Sink& sink) override;
    [[nodiscard]] std::optional<TimePoint> prepare_sleep(Sleeper who, TimePoint deadline) override;

    void sleep(Sleeper who, TimePoint until) noexcept override { own_bell().wait(until, who); }

    bool rise() override;

    void alert(Rank peer) noexcept override;

    void wake() noexcept override { own_bell().ring(); }

    void call(Sleeper who) noexcept override { own_bell().call(who); }

    [[nodiscard]] bool sends_pending() const override {
        return !state_->sends.empty() || outgoing_transfers_ > 0;
    }

    const void* raw_communicator(std::span<const Rank> members) override;
    [[nodiscard]] std::string no_raw_communicator() const override;
    void close(bool orderly) override;

private:
    struct BulkEvent {
        Rank peer{};
        std::uint64_t transfer = 0;
        bool outgoing = false;
    };

    [[nodiscard]] bool forgotten(Rank peer) const {
        MUSTER_ASSERT(index(peer) >= 0 && index(peer) < world_.size);
        return forgotten_[static_cast<std::size_t>(index(peer))];
    }

    [[nodiscard]] Doorbell& own_bell() const { return *own_bell_.load(std::memory_order_acquire); }

    void check_tags() const;
    void gather_hosts();
    void post_receive(std::size_t slot);
    void test_head();
    bool look();
    bool complete_sends();
    bool complete_fragments();
    void begin(std::unique_ptr<Transfer> transfer);
    void start_fragment(Transfer& transfer, MPI_Request& request);
    void finish(Transfer& transfer);
    void ring(Rank peer);
    void ring_receivers();
    void cancel_receives();

    ThreadLevel level_;
    World world_;
    std::unique_ptr<Channels> state_ = std::make_unique<Channels>();
    bool finalized_ = false;
    bool other_nodes_ = false;
    std::vector<bool> forgotten_; // by rank
    bool forgot_somebody_ = false;

    // wake() may still be called while and after the shared words go away.
    Doorbell last_bell_;
    std::atomic<Doorbell*> own_bell_{&last_bell_};

    std::size_t head_ = 0;   // the oldest posted receive: the next to complete
    bool head_full_ = false; // it has, and nobody has been told
    MPI_Status head_status_{};

    std::vector<std::unique_ptr<Packet>> free_packets_;
    std::vector<int> completed_; // indices, as MPI_Testsome returns them
    std::vector<BulkEvent> events_;
    std::vector<BulkEvent> events_taken_;
    std::size_t outgoing_transfers_ = 0;

    Duration remote_sleep_ = remote_sleep_min;
    std::optional<TimePoint> stalled_since_; // sends pending, none completed since
};

void MpiChannels::check_tags() const {
    void* value = nullptr;
    int found = 0;
    check(MPI_Comm_get_attr(state_->bulk, MPI_TAG_UB, &value, &found), "MPI_Comm_get_attr");
    const int tag_max = found != 0 ? *static_cast<const int*>(value) : 32767; // MPI 3.1, 8.1.2
    if (static_cast<std::uint64_t>(tag_max) < transfer_modulus - 1) {
        throw Error(fmt::format("rank {}: this MPI allows message tags up to {} only, and {} are "
                                "needed; try another MPI or network module",
                                index(world_.rank),
                                tag_max,
                                transfer_modulus));
    }
}

void MpiChannels::gather_hosts() {
    std::array<char, MPI_MAX_PROCESSOR_NAME> name{};
    int length = 0;
    check(MPI_Get_processor_name(name.data(), &length), "MPI_Get_processor_name");
    const auto bytes = std::as_bytes(std::span(name.data(), static_cast<std::size_t>(length)));
    for (const std::vector<std::byte>& host : all_gather_bytes(state_->control, bytes)) {
        world_.host_of.emplace_back(reinterpret_cast<const char*>(host.data()), host.size());
    }

    // A node is named by its lowest rank, so numbering nodes in rank order needs no search.
    const std::vector<int> first = all_gather_int(state_->control, state_->bells.first_rank);
    std::int32_t nodes = 0;
    for (std::size_t rank = 0; rank < first.size(); ++rank) {
        const auto lowest = static_cast<std::size_t>(first[rank]);
        world_.node_of.push_back(lowest == rank ? NodeId{nodes++} : world_.node_of[lowest]);
    }
    other_nodes_ = nodes > 1;
}

void MpiChannels::post_receive(std::size_t slot) {
    check(MPI_Irecv(state_->received[slot].data(),
                    to_count(packet_bytes_max),
                    MPI_BYTE,
                    MPI_ANY_SOURCE,
                    packet_tag,
                    state_->control,
                    &state_->receives[slot]),
          "MPI_Irecv");
}

void MpiChannels::ring(Rank peer) {
    if (Doorbell* bell = state_->bells.by_rank[static_cast<std::size_t>(index(peer))]) {
        // Orders what MPI just wrote before the look at the word; pairs with announce().
        std::atomic_thread_fence(std::memory_order_seq_cst);
        bell->ring_if_asleep();
    }
}

void MpiChannels::alert(Rank peer) noexcept {
    if (Doorbell* bell = state_->bells.by_rank[static_cast<std::size_t>(index(peer))]) {
        bell->ring_if_asleep();
    }
}

void MpiChannels::send(Rank to, std::span<const std::byte> packet) {
    MUSTER_ASSERT(packet.size() <= packet_bytes_max);
    MUSTER_ASSERT(to != world_.rank);
    if (forgotten(to)) {
        return;
    }
    std::unique_ptr<Packet> copy;
    if (free_packets_.empty()) {
        copy = std::make_unique_for_overwrite<Packet>();
    } else {
        copy = std::move(free_packets_.back());
        free_packets_.pop_back();
    }
    if (!packet.empty()) {
        std::memcpy(copy->data(), packet.data(), packet.size());
    }
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Isend(copy->data(),
                    to_count(packet.size()),
                    MPI_BYTE,
                    index(to),
                    packet_tag,
                    state_->control,
                    &request),
          "MPI_Isend");
    ring(to);
    int sent = 0;
    check(MPI_Test(&request, &sent, MPI_STATUS_IGNORE), "MPI_Test");
    if (sent != 0) {
        free_packets_.push_back(std::move(copy));
        return;
    }
    state_->send_requests.push_back(request);
    state_->sends.push_back({.to = to, .packet = std::move(copy)});
}

bool MpiChannels::complete_sends() {
    auto& requests = state_->send_requests;
    completed_.resize(requests.size());
    int count = 0;
    check(MPI_Testsome(to_count(requests.size()),
                       requests.data(),
                       &count,
                       completed_.data(),
                       MPI_STATUSES_IGNORE),
          "MPI_Testsome");
    if (count <= 0) {
        return false;
    }
    // What was pending left only now, so the ring after MPI_Isend may have come too early.
    std::size_t kept = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        if (requests[i] == MPI_REQUEST_NULL) {
            ring(state_->sends[i].to);
            if (free_packets_.size() < slots_kept) {
                free_packets_.push_back(std::move(state_->sends[i].packet));
            }
            continue;
        }
        if (kept != i) {
            requests[kept] = requests[i];
            state_->sends[kept] = std::move(state_->sends[i]);
        }
        ++kept;
    }
    requests.resize(kept);
    state_->sends.resize(kept);
    stalled_since_.reset();
    return true;
}

void MpiChannels::send_bulk(Rank to, std::uint64_t transfer, Buffer data) {
    MUSTER_ASSERT(to != world_.rank);
    if (forgotten(to)) {
        return;
    }
    const std::size_t size_bytes = data.size();
    ++outgoing_transfers_;
    begin(std::make_unique<Transfer>(Transfer{.peer = to,
                                              .number = transfer,
                                              .data = std::move(data),
                                              .size_bytes = size_bytes,
                                              .outgoing = true}));
}

void MpiChannels::receive_bulk(Rank from, std::uint64_t transfer, std::span<std::byte> into) {
    MUSTER_ASSERT(from != world_.rank);
    if (forgotten(from)) {
        return;
    }
    begin(std::make_unique<Transfer>(
        Transfer{.peer = from, .number = transfer, .memory = into, .size_bytes = into.size()}));
}

void MpiChannels::begin(std::unique_ptr<Transfer> transfer) {
    for (const auto& other : state_->transfers) {
        MUSTER_ASSERT(other->outgoing != transfer->outgoing || other->peer != transfer->peer ||
                      other->tag() != transfer->tag());
    }
    const std::size_t count = std::min(transfer->fragments(), fragments_in_flight);
    for (std::size_t i = 0; i < count; ++i) {
        state_->fragment_owners.push_back(transfer.get());
        state_->fragment_requests.push_back(MPI_REQUEST_NULL);
        start_fragment(*transfer, state_->fragment_requests.back());
    }
    state_->transfers.push_back(std::move(transfer));
}

// Fragments of a transfer share a tag: both sides start them in order, so that they match.
void MpiChannels::start_fragment(Transfer& transfer, MPI_Request& request) {
    const std::size_t offset = transfer.started * fragment_bytes;
    const int count = to_count(std::min(fragment_bytes, transfer.size_bytes - offset));
    if (transfer.outgoing) {
        check(MPI_Isend(transfer.data.bytes().data() + offset,
                        count,
                        MPI_BYTE,
                        index(transfer.peer),
                        transfer.tag(),
                        state_->bulk,
                        &request),
              "MPI_Isend");
        ring(transfer.peer);
    } else {
        check(MPI_Irecv(transfer.memory.data() + offset,
                        count,
                        MPI_BYTE,
                        index(transfer.peer),
                        transfer.tag(),
                        state_->bulk,
                        &request),
              "MPI_Irecv");
    }
    ++transfer.started;
}

// A request to a dead peer cannot be cancelled once it is matched, and one that looks complete says
// nothing: neither is waited for nor asked again. The handles are dropped, what MPI holds of them
// stays, and so does the memory.
void MpiChannels::forget(Rank peer) {
    MUSTER_ASSERT(peer != world_.rank);
    if (forgotten(peer)) {
        return;
    }
    forgotten_[static_cast<std::size_t>(index(peer))] = true;
    forgot_somebody_ = true;

    std::size_t kept = 0;
    for (std::size_t i = 0; i < state_->sends.size(); ++i) {
        if (state_->sends[i].to == peer) {
            state_->abandoned_sends.push_back(std::move(state_->sends[i]));
            continue;
        }
        if (kept != i) {
            state_->send_requests[kept] = state_->send_requests[i];
            state_->sends[kept] = std::move(state_->sends[i]);
        }
        ++kept;
    }
    state_->send_requests.resize(kept);
    state_->sends.resize(kept);

    kept = 0;
    for (std::size_t i = 0; i < state_->fragment_owners.size(); ++i) {
        if (state_->fragment_owners[i]->peer != peer) {
            state_->fragment_requests[kept] = state_->fragment_requests[i];
            state_->fragment_owners[kept] = state_->fragment_owners[i];
            ++kept;
        }
    }
    state_->fragment_requests.resize(kept);
    state_->fragment_owners.resize(kept);

    std::erase_if(state_->transfers, [&](std::unique_ptr<Transfer>& transfer) {
        if (transfer->peer != peer) {
            return false;
        }
        outgoing_transfers_ -= transfer->outgoing ? 1U : 0U;
        state_->abandoned_transfers.push_back(std::move(transfer));
        return true;
    });
    std::erase_if(events_, [&](const BulkEvent& event) { return event.peer == peer; });
}

bool MpiChannels::complete_fragments() {
    auto& requests = state_->fragment_requests;
    auto& owners = state_->fragment_owners;
    completed_.resize(requests.size());
    int count = 0;
    check(MPI_Testsome(to_count(requests.size()),
                       requests.data(),
                       &count,
                       completed_.data(),
                       MPI_STATUSES_IGNORE),
          "MPI_Testsome");
    if (count <= 0) {
        return false;
    }
    std::size_t kept = 0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        if (requests[i] == MPI_REQUEST_NULL) {
            Transfer& transfer = *owners[i];
            if (transfer.outgoing) {
                stalled_since_.reset();
            }
            ++transfer.completed;
            if (transfer.started < transfer.fragments()) {
                start_fragment(transfer, requests[i]);
            } else {
                if (transfer.completed == transfer.fragments()) {
                    finish(transfer);
                }
                continue;
            }
        }
        requests[kept] = requests[i];
        owners[kept] = owners[i];
        ++kept;
    }
    requests.resize(kept);
    owners.resize(kept);
    return true;
}

void MpiChannels::finish(Transfer& transfer) {
    events_.push_back(
        {.peer = transfer.peer, .transfer = transfer.number, .outgoing = transfer.outgoing});
    if (transfer.outgoing) {
        --outgoing_transfers_;
        ring(transfer.peer);
    }
    std::erase_if(state_->transfers, [&](const auto& other) { return other.get() == &transfer; });
}

// A transfer in shared memory moves only while both ends call MPI.
void MpiChannels::ring_receivers() {
    for (const auto& transfer : state_->transfers) {
        if (transfer->outgoing) {
            ring(transfer->peer);
        }
    }
}

void MpiChannels::test_head() {
    int full = 0;
    check(MPI_Test(&state_->receives[head_], &full, &head_status_), "MPI_Test");
    head_full_ = full != 0;
}

// Lets MPI make progress and notes what completed, without telling anybody: also the last look
// before a sleep. One MPI_Test when nothing is under way.
bool MpiChannels::look() {
    if (!head_full_) {
        test_head();
    }
    bool found = head_full_ || !events_.empty();
    if (!state_->sends.empty()) {
        found |= complete_sends();
    }
    if (!state_->fragment_requests.empty()) {
        found |= complete_fragments();
        if (outgoing_transfers_ > 0) {
            ring_receivers();
        }
    }
    return found;
}

bool MpiChannels::poll(Sink& sink) {
    if (!look()) {
        return false;
    }
    for (int i = 0; head_full_ && i < packets_per_poll; ++i) {
        int bytes = 0;
        check(MPI_Get_count(&head_status_, MPI_BYTE, &bytes), "MPI_Get_count");
        const Rank from{head_status_.MPI_SOURCE};
        if (!forgotten(from)) {
            sink.on_packet(from,
                           std::span<const std::byte>(state_->received[head_])
                               .first(static_cast<std::size_t>(bytes)));
        }
        post_receive(head_);
        head_ = (head_ + 1) % receives_posted;
        test_head();
    }
    std::swap(events_, events_taken_); // the sink may start transfers
    for (const BulkEvent& event : events_taken_) {
        if (forgotten(event.peer)) {
            continue; // by the sink, since it was taken
        }
        if (event.outgoing) {
            sink.on_bulk_sent(event.peer, event.transfer);
        } else {
            sink.on_bulk_received(event.peer, event.transfer);
        }
    }
    events_taken_.clear();
    remote_sleep_ = remote_sleep_min;
    return true;
}

std::optional<TimePoint> MpiChannels::prepare_sleep(Sleeper who, TimePoint deadline) {
    const TimePoint now = std::chrono::steady_clock::now();
    if (deadline <= now) {
        return std::nullopt;
    }
    const bool pending = sends_pending();
    if (pending) {
        // MPI may need this rank to push them out. A peer that takes nothing for long is another
        // matter: it shall not cost this rank a core.
        if (!stalled_since_) {
            stalled_since_ = now;
        }
        if (now - *stalled_since_ < stall_grace) {
            sched_yield();
            return std::nullopt;
        }
    }
    Doorbell& bell = own_bell();
    if (!bell.announce(who)) {
        return std::nullopt;
    }
    // The other half of ring(): orders the announcement before MPI's look at its memory.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    bool found = true;
    try {
        found = look();
    } catch (...) {
        bell.rise();
        throw;
    }
    if (found) {
        bell.rise();
        return std::nullopt;
    }
    const bool in_steps = pending || other_nodes_;
    return std::min(deadline, now + (in_steps ? remote_sleep_ : node_sleep_max));
}

bool MpiChannels::rise() {
    const bool rung = own_bell().rise();
    remote_sleep_ = rung ? remote_sleep_min : std::min(2 * remote_sleep_, remote_sleep_max);
    return rung;
}

std::string MpiChannels::no_raw_communicator() const {
    return level_ == ThreadLevel::multiple
               ? std::string()
               : "this MPI does not let several threads call it (MPI_THREAD_MULTIPLE), and the "
                 "runtime has one of its own; use another MPI, or the gang's own Communicator";
}

const void* MpiChannels::raw_communicator(std::span<const Rank> members) {
    if (level_ != ThreadLevel::multiple) {
        throw Error(no_raw_communicator(), ErrorCode::infeasible);
    }
    return state_->raw.get(members);
}

void MpiChannels::cancel_receives() {
    for (MPI_Request& request : state_->receives) {
        check(MPI_Cancel(&request), "MPI_Cancel");
        check(MPI_Wait(&request, MPI_STATUS_IGNORE), "MPI_Wait");
    }
}

void MpiChannels::close(bool orderly) {
    MUSTER_ASSERT(!finalized_ && !(orderly && forgot_somebody_));
    own_bell_.store(&last_bell_, std::memory_order_release);
    if (!orderly) {
        return;
    }
    const TimePoint deadline = std::chrono::steady_clock::now() + close_wait_max;
    while (sends_pending()) {
        look();
        sched_yield();
        if (std::chrono::steady_clock::now() > deadline) {
            throw Error(fmt::format("rank {}: {} packets and {} bulk transfers still on their way "
                                    "at the end of the run",
                                    index(world_.rank),
                                    state_->sends.size(),
                                    outgoing_transfers_));
        }
    }
    if (head_full_) { // a packet that nobody asked for: its request is done
        post_receive(head_);
        head_full_ = false;
    }
    state_->bells.close(); // waits for the node's ranks
    cancel_receives();
    state_->raw.close();
    check(MPI_Comm_free(&state_->bulk), "MPI_Comm_free");
    check(MPI_Comm_free(&state_->control), "MPI_Comm_free");
    finalized_ = true;
    check(MPI_Finalize(), "MPI_Finalize");
}

} // namespace

std::unique_ptr<MpiTransport> start_mpi(const StartInfo& info) {
    int initialized = 0;
    MPI_Initialized(&initialized);
    if (initialized != 0) {
        throw Error("MPI is initialised already: leave MPI_Init to muster::run()");
    }
    prepare_mpi_environment();
    int provided = MPI_THREAD_SINGLE;
    const int code = MPI_Init_thread(info.argc, info.argv, MPI_THREAD_MULTIPLE, &provided);
    if (code != MPI_SUCCESS) {
        // MPI_Error_string may be called only after MPI_Init has succeeded.
        throw Error(fmt::format("MPI_Init_thread failed with code {}: was the program started by "
                                "the launcher of the MPI that it was built with?",
                                code));
    }
    if (provided < MPI_THREAD_SERIALIZED) {
        throw Error("this MPI allows only the thread that initialised it to call it, and a thread "
                    "of the runtime must: use an MPI with MPI_THREAD_SERIALIZED or better");
    }
    return std::make_unique<MpiChannels>(provided == MPI_THREAD_MULTIPLE ? ThreadLevel::multiple
                                                                         : ThreadLevel::serialized);
}

} // namespace muster::transport
