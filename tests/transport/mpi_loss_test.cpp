// A real rank dies, at a random point of what it does, by a SIGKILL that its own timer sends. The
// launcher reports nothing of use after that: rank 0 gathers the verdicts and prints the outcome.

#include "transport/contract.hpp"
#include "transport/mpi.hpp"

#include <muster/base/random.hpp>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

namespace muster::transport::contract {
namespace {

using namespace std::chrono_literals;

constexpr int skipped = 77; // as CTest knows it

void kill_within(std::chrono::microseconds time) {
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGKILL;
    timer_t timer{};
    itimerspec when{};
    when.it_value.tv_nsec = std::max<long>(1, std::chrono::nanoseconds(time).count());
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
        timer_settime(timer, 0, &when, nullptr) != 0) {
        std::perror("timer");
        std::abort();
    }
}

// Each survivor's number of failures, at rank 0.
class Verdicts final : public Sink {
public:
    void on_packet(Rank /*from*/, std::span<const std::byte> packet) override {
        ++came;
        bad += packet.empty() ? 0 : 1;
    }

    void on_bulk_sent(Rank /*to*/, std::uint64_t /*transfer*/) override { ++bad; }

    void on_bulk_received(Rank /*from*/, std::uint64_t /*transfer*/) override { ++bad; }

    int came = 0;
    int bad = 0;
};

int run(int argc, char** argv) {
    const std::uint64_t seed = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
    const auto transport = start_mpi({.argc = &argc, .argv = &argv});
    const World& world = transport->world();
    if (transport->library_version().find("Open MPI v4") == std::string::npos) {
        if (world.rank == Rank{0}) {
            std::fputs("skipped: knows how to outlive a rank with Open MPI 4 only\n", stderr);
        }
        transport->close(true);
        return skipped;
    }
    const Rank lost{world.size - 1};
    if (world.rank == lost) {
        kill_within(std::chrono::microseconds(Random(seed).below(60'000)));
    }
    const auto part = lost_rank(false).make();
    Party::EarlyPackets early;
    drive(*transport, *part, early);

    for (const std::string& failure : part->failures()) {
        std::fprintf(stderr, "rank %d: %s\n", index(world.rank), failure.c_str());
    }
    Verdicts verdicts;
    for (const auto& [from, packet] : early) { // from those that were through first
        verdicts.on_packet(from, packet);
    }
    const int others = world.size - 2;
    if (world.rank != Rank{0}) {
        const std::byte bad{1};
        transport->send(Rank{0}, std::span(&bad, part->failures().empty() ? 0 : 1));
    }
    while (transport->sends_pending() || (world.rank == Rank{0} && verdicts.came < others)) {
        transport->poll(verdicts);
    }
    if (world.rank == Rank{0}) {
        verdicts.bad += part->failures().empty() ? 0 : 1;
        std::printf("seed %llu: of %d survivors %d saw a broken promise\n",
                    static_cast<unsigned long long>(seed),
                    world.size - 1,
                    verdicts.bad);
        std::fflush(stdout);
    }
    transport->close(false);
    ::_exit(0);
}

} // namespace
} // namespace muster::transport::contract

int main(int argc, char** argv) {
    return muster::transport::contract::run(argc, argv);
}
