#include "transport/local.hpp"

#include "transport/doorbell.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>

namespace muster::transport {

namespace {

// What one poll() copies at most: about 0.4 ms of work at memory speed.
constexpr std::size_t copy_bytes_per_poll = std::size_t{4} << 20;

struct BulkOffer {
    Rank from{};
    std::uint64_t transfer = 0;
    Buffer data;
};

struct BulkDone {
    Rank to{};
    std::uint64_t transfer = 0;
};

struct PacketHeader {
    Rank from{};
    std::uint32_t bytes = 0;
};

// What others have left for one rank.
struct Mail {
    std::vector<std::byte> packets; // PacketHeader, bytes, PacketHeader, bytes, …
    std::vector<BulkOffer> offers;
    std::vector<BulkDone> done;

    [[nodiscard]] bool empty() const { return packets.empty() && offers.empty() && done.empty(); }

    void clear() {
        packets.clear();
        offers.clear();
        done.clear();
    }
};

struct alignas(64) Mailbox {
    std::mutex mutex; // guards mail and open
    Mail mail;
    bool open = true;
    Doorbell bell;
};

struct SharedWorld {
    explicit SharedWorld(std::int32_t size) : boxes(static_cast<std::size_t>(size)) {}

    std::vector<Mailbox> boxes; // by rank; never resized
};

class LocalTransport final : public Transport {
public:
    LocalTransport(std::shared_ptr<SharedWorld> shared, World world)
        : shared_(std::move(shared)), world_(std::move(world)), own_(box(world_.rank)),
          peers_(shared_->boxes.size()) {}

    ~LocalTransport() override { shut(); }

    [[nodiscard]] const World& world() const override { return world_; }

    void send(Rank to, std::span<const std::byte> packet) override {
        MUSTER_ASSERT(packet.size() <= packet_bytes_max);
        const PacketHeader header{.from = world_.rank,
                                  .bytes = static_cast<std::uint32_t>(packet.size())};
        deliver(to, [&](Mail& mail) {
            const std::size_t start = mail.packets.size();
            mail.packets.resize(start + sizeof header + packet.size());
            std::memcpy(&mail.packets[start], &header, sizeof header);
            if (!packet.empty()) {
                std::memcpy(&mail.packets[start + sizeof header], packet.data(), packet.size());
            }
        });
    }

    void send_bulk(Rank to, std::uint64_t transfer, Buffer data) override {
        if (peer(to).forgotten) {
            return;
        }
        ++peer(to).bulk_pending;
        ++bulk_pending_;
        deliver(to, [&](Mail& mail) {
            mail.offers.push_back(
                {.from = world_.rank, .transfer = transfer, .data = std::move(data)});
        });
    }

    void receive_bulk(Rank from, std::uint64_t transfer, std::span<std::byte> into) override {
        if (peer(from).forgotten) {
            return;
        }
        const auto offer = std::ranges::find_if(waiting_offers_, [&](const BulkOffer& waiting) {
            return waiting.from == from && waiting.transfer == transfer;
        });
        if (offer == waiting_offers_.end()) {
            waiting_receives_.push_back({.from = from, .transfer = transfer, .into = into});
            return;
        }
        begin_copy(std::move(*offer), into);
        waiting_offers_.erase(offer);
    }

    // Nothing of it is in MPI's hands here: what was posted and offered is simply let go. The data
    // of transfers to it stays with the peer's own endpoint until that closes.
    void forget(Rank lost) override {
        MUSTER_ASSERT(lost != world_.rank);
        peer(lost).forgotten = true;
        bulk_pending_ -= std::exchange(peer(lost).bulk_pending, 0);
        std::erase_if(waiting_receives_, [&](const auto& receive) { return receive.from == lost; });
        std::erase_if(waiting_offers_, [&](const auto& offer) { return offer.from == lost; });
        std::erase_if(copies_, [&](const auto& copy) { return copy.offer.from == lost; });
    }

    bool poll(Sink& sink) override {
        {
            const std::lock_guard lock(own_.mutex);
            std::swap(own_.mail, taken_); // taken_ was cleared, so its memory is used again
        }
        const bool happened = !taken_.empty() || !copies_.empty();
        for (std::size_t at = 0; at < taken_.packets.size();) {
            PacketHeader header;
            std::memcpy(&header, &taken_.packets[at], sizeof header);
            at += sizeof header;
            if (!peer(header.from).forgotten) {
                sink.on_packet(
                    header.from,
                    std::span<const std::byte>(taken_.packets).subspan(at, header.bytes));
            }
            at += header.bytes;
        }
        for (const BulkDone& done : taken_.done) {
            if (peer(done.to).forgotten) {
                continue;
            }
            --peer(done.to).bulk_pending;
            --bulk_pending_;
            sink.on_bulk_sent(done.to, done.transfer);
        }
        for (BulkOffer& offer : taken_.offers) {
            if (!peer(offer.from).forgotten) {
                match(std::move(offer));
            }
        }
        taken_.clear();
        copy_some(sink);
        return happened;
    }

    [[nodiscard]] std::optional<TimePoint> prepare_sleep(Sleeper who, TimePoint deadline) override {
        if (!copies_.empty() || !own_.bell.announce(who)) {
            return std::nullopt;
        }
        if (mail_waiting()) {
            own_.bell.rise();
            return std::nullopt;
        }
        return deadline;
    }

    void sleep(Sleeper who, TimePoint until) noexcept override { own_.bell.wait(until, who); }

    bool rise() override { return own_.bell.rise(); }

    void alert(Rank peer) noexcept override { box(peer).bell.ring_if_asleep(); }

    void call(Sleeper who) noexcept override { own_.bell.call(who); }

    void wake() noexcept override { own_.bell.ring(); }

    [[nodiscard]] bool sends_pending() const override { return bulk_pending_ > 0; }

    const void* raw_communicator(std::span<const Rank> /*members*/) override {
        throw Error(no_raw_communicator(), ErrorCode::infeasible);
    }

    [[nodiscard]] std::string no_raw_communicator() const override {
        return "there is no MPI in a program that runs alone; start it with mpirun or srun";
    }

    void close(bool /*orderly*/) override { shut(); }

private:
    struct Peer {
        std::size_t bulk_pending = 0; // offered to it, not yet copied by it
        bool forgotten = false;
    };

    struct BulkReceive {
        Rank from{};
        std::uint64_t transfer = 0;
        std::span<std::byte> into;
    };

    struct Copy {
        BulkOffer offer;
        std::span<std::byte> into;
        std::size_t copied_bytes = 0;
    };

    [[nodiscard]] Mailbox& box(Rank rank) const {
        return shared_->boxes[static_cast<std::size_t>(index(rank))];
    }

    [[nodiscard]] Peer& peer(Rank rank) {
        MUSTER_ASSERT(index(rank) >= 0 && index(rank) < world_.size);
        return peers_[static_cast<std::size_t>(index(rank))];
    }

    template <class Put>
    void deliver(Rank to, Put&& put) {
        MUSTER_ASSERT(to != world_.rank && index(to) >= 0 && index(to) < world_.size);
        if (peer(to).forgotten) {
            return;
        }
        Mailbox& other = box(to);
        {
            const std::lock_guard lock(other.mutex);
            if (!other.open) {
                return;
            }
            put(other.mail);
        }
        other.bell.ring_if_asleep();
    }

    [[nodiscard]] bool mail_waiting() const {
        const std::lock_guard lock(own_.mutex);
        return !own_.mail.empty();
    }

    void match(BulkOffer offer) {
        const auto receive = std::ranges::find_if(waiting_receives_, [&](const BulkReceive& r) {
            return r.from == offer.from && r.transfer == offer.transfer;
        });
        if (receive == waiting_receives_.end()) {
            waiting_offers_.push_back(std::move(offer));
            return;
        }
        const std::span<std::byte> into = receive->into;
        waiting_receives_.erase(receive);
        begin_copy(std::move(offer), into);
    }

    void begin_copy(BulkOffer offer, std::span<std::byte> into) {
        MUSTER_ASSERT(offer.data.size() == into.size());
        copies_.push_back({.offer = std::move(offer), .into = into});
    }

    // Oldest first, until this poll's share is used up.
    void copy_some(Sink& sink) {
        std::size_t left = copy_bytes_per_poll;
        std::size_t finished = 0;
        for (Copy& copy : copies_) {
            const std::size_t bytes = std::min(left, copy.into.size() - copy.copied_bytes);
            if (bytes > 0) {
                std::memcpy(copy.into.data() + copy.copied_bytes,
                            copy.offer.data.bytes().data() + copy.copied_bytes,
                            bytes);
                copy.copied_bytes += bytes;
                left -= bytes;
            }
            if (copy.copied_bytes < copy.into.size()) {
                break;
            }
            ++finished;
        }
        // Moved out first: the sink may start further transfers, which grow copies_.
        std::vector<Copy> done(
            std::make_move_iterator(copies_.begin()),
            std::make_move_iterator(copies_.begin() + static_cast<std::ptrdiff_t>(finished)));
        copies_.erase(copies_.begin(), copies_.begin() + static_cast<std::ptrdiff_t>(finished));
        for (Copy& copy : done) {
            const BulkDone told{.to = world_.rank, .transfer = copy.offer.transfer};
            const Rank from = copy.offer.from;
            if (peer(from).forgotten) { // by the sink, since it was moved out
                continue;
            }
            copy.offer.data = {}; // before the sender hears that nobody holds it
            deliver(from, [&](Mail& mail) { mail.done.push_back(told); });
            sink.on_bulk_received(from, told.transfer);
        }
    }

    void shut() {
        const std::lock_guard lock(own_.mutex);
        own_.open = false;
        own_.mail.clear();
    }

    std::shared_ptr<SharedWorld> shared_;
    World world_;
    Mailbox& own_;
    std::vector<Peer> peers_; // by rank
    Mail taken_;
    std::vector<BulkReceive> waiting_receives_; // posted, nothing offered yet
    std::vector<BulkOffer> waiting_offers_;     // offered, not posted yet
    std::vector<Copy> copies_;                  // in the order in which both sides were there
    std::size_t bulk_pending_ = 0;              // of all peers
};

std::string host_name() {
    std::array<char, 256> name{};
    return gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data()) : "localhost";
}

} // namespace

std::vector<std::unique_ptr<Transport>> make_local_world(std::int32_t size) {
    MUSTER_ASSERT(size >= 1 && size <= world_size_max);
    const auto count = static_cast<std::size_t>(size);
    auto shared = std::make_shared<SharedWorld>(size);
    World world{.rank = Rank{0},
                .size = size,
                .node_of = std::vector<NodeId>(count, NodeId{0}),
                .host_of = std::vector<std::string>(count, host_name())};
    std::vector<std::unique_ptr<Transport>> endpoints;
    endpoints.reserve(count);
    for (std::int32_t rank = 0; rank < size; ++rank) {
        world.rank = Rank{rank};
        endpoints.push_back(std::make_unique<LocalTransport>(shared, world));
    }
    return endpoints;
}

} // namespace muster::transport
