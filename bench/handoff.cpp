// What the hand-offs of a task and its result cost with nothing else around them. A thread of rank
// 0 gives a word to its progress thread, which sends it to the last rank; there the progress thread
// gives it to another thread, and the answer comes back the same way. Threads that wait sleep on
// doorbells, as in the runtime; progress threads spin for a while before they sleep.

#include "report.hpp"
#include "transport/doorbell.hpp"

#include <mpi.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <thread>
#include <vector>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using muster::transport::Doorbell;

constexpr int tag = 1;
constexpr auto spin_time = 100us;
constexpr auto spin_time_after_long_sleep = 500us;
constexpr auto long_sleep = 5ms;
constexpr auto sleep_time_max = 50ms;
constexpr std::int64_t nothing = 0;
constexpr std::int64_t end = -1;

struct Sizes {
    int repetitions = 5;
    int rounds = 2'000;
    int pauses = 10;
    std::chrono::milliseconds pause = 1s;
};

/// Where a thread waits for a word from another thread of its process.
class Slot {
public:
    void put(std::int64_t word) {
        word_.store(word, std::memory_order_release);
        bell_.ring();
    }

    std::int64_t take() {
        for (;;) {
            if (const auto word = word_.exchange(nothing, std::memory_order_acquire)) {
                return word;
            }
            if (bell_.announce()) {
                if (word_.load(std::memory_order_acquire) == nothing) {
                    bell_.wait(Clock::now() + sleep_time_max);
                }
                bell_.rise();
            }
        }
    }

private:
    std::atomic<std::int64_t> word_{nothing};
    Doorbell bell_;
};

/// A rank's doorbell, in memory that the other rank can ring.
class SharedBells {
public:
    explicit SharedBells(int rank) {
        MPI_Aint bytes = sizeof(Doorbell);
        int unit = 1;
        void* own = nullptr;
        MPI_Win_allocate_shared(bytes, unit, MPI_INFO_NULL, MPI_COMM_WORLD, &own, &window_);
        new (own) Doorbell;
        MPI_Barrier(MPI_COMM_WORLD);
        own_ = of(rank);
    }

    SharedBells(const SharedBells&) = delete;
    SharedBells& operator=(const SharedBells&) = delete;

    ~SharedBells() { MPI_Win_free(&window_); }

    [[nodiscard]] Doorbell& own() const { return *own_; }

    [[nodiscard]] Doorbell* of(int rank) const {
        MPI_Aint bytes = 0;
        int unit = 1;
        void* there = nullptr;
        MPI_Win_shared_query(window_, rank, &bytes, &unit, static_cast<void*>(&there));
        return std::launder(static_cast<Doorbell*>(there));
    }

private:
    MPI_Win window_ = MPI_WIN_NULL;
    Doorbell* own_ = nullptr;
};

/// One rank's end of the line: words from `give()` go to the peer, words from there to `incoming`.
class Line {
public:
    Line(const SharedBells& bells, int peer)
        : own_bell_(bells.own()), peer_bell_(*bells.of(peer)), peer_(peer) {
        listen();
    }

    /// Any thread.
    void give(std::int64_t word) {
        outgoing_.store(word, std::memory_order_release);
        own_bell_.ring();
    }

    Slot& incoming() { return incoming_; }

    /// The progress thread's loop: ends with the word `end`, in either direction.
    void progress() {
        auto busy_until = Clock::now();
        bool slept_long = false;
        while (!ended_) {
            if (look()) {
                busy_until = Clock::now() + (slept_long ? spin_time_after_long_sleep : spin_time);
                slept_long = false;
            } else if (const auto now = Clock::now(); now < busy_until) {
                sched_yield();
            } else {
                slept_long = sleep(now) || slept_long;
            }
        }
        if (request_ != MPI_REQUEST_NULL) {
            MPI_Cancel(&request_);
            MPI_Wait(&request_, MPI_STATUS_IGNORE);
        }
    }

private:
    void listen() { MPI_Irecv(&message_, 1, MPI_INT64_T, peer_, tag, MPI_COMM_WORLD, &request_); }

    bool look() {
        bool found = false;
        if (const auto word = outgoing_.exchange(nothing, std::memory_order_acquire)) {
            MPI_Send(&word, 1, MPI_INT64_T, peer_, tag, MPI_COMM_WORLD);
            std::atomic_thread_fence(std::memory_order_seq_cst);
            peer_bell_.ring_if_asleep();
            ended_ = word == end;
            found = true;
        }
        int done = 0;
        MPI_Test(&request_, &done, MPI_STATUS_IGNORE);
        if (done != 0) {
            ended_ = message_ == end;
            incoming_.put(message_);
            if (!ended_) {
                listen();
            }
            found = true;
        }
        return found;
    }

    /// Returns whether it was a long sleep.
    bool sleep(Clock::time_point now) {
        if (own_bell_.announce()) {
            std::atomic_thread_fence(std::memory_order_seq_cst);
            if (!look()) {
                own_bell_.wait(now + sleep_time_max);
            }
            own_bell_.rise();
        }
        return Clock::now() - now >= long_sleep;
    }

    Doorbell& own_bell_;
    Doorbell& peer_bell_;
    int peer_;
    std::int64_t message_ = nothing;
    MPI_Request request_ = MPI_REQUEST_NULL;
    std::atomic<std::int64_t> outgoing_{nothing};
    Slot incoming_;
    bool ended_ = false;
};

double round_trip(Line& line) {
    const auto begin = Clock::now();
    line.give(1);
    line.incoming().take();
    return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

void call(Line& line, const Sizes& sizes, bench::Report& report) {
    for (int repetition = 0; repetition < sizes.repetitions; ++repetition) {
        std::vector<double> microseconds;
        for (int i = -sizes.rounds / 10; i < sizes.rounds; ++i) { // the first ones warm up
            const double time = round_trip(line);
            if (i >= 0) {
                microseconds.push_back(time);
            }
        }
        report.add("handoff.round_trip.median", "us", bench::quantile(microseconds, 0.5));
        report.add("handoff.round_trip.p99", "us", bench::quantile(microseconds, 0.99));
    }
    for (int i = 0; i < sizes.pauses; ++i) {
        std::this_thread::sleep_for(sizes.pause);
        report.add("handoff.after_idle", "us", round_trip(line));
    }
    line.give(end);
}

void answer(Line& line) {
    while (line.incoming().take() != end) {
        line.give(1);
    }
}

} // namespace

int main(int argc, char** argv) {
    int provided = 0;
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
    Sizes sizes;
    if (argc > 1 && std::strcmp(argv[1], "--quick") == 0) {
        sizes = {.repetitions = 1, .rounds = 100, .pauses = 2, .pause = 5ms};
    }
    int rank = 0;
    int size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (size != 2) {
        std::fputs("bench_handoff needs two ranks: mpirun -n 2\n", stderr);
        MPI_Finalize();
        return 2;
    }
    bench::Report report;
    {
        const SharedBells bells(rank);
        Line line(bells, 1 - rank);
        std::thread user([&] { rank == 0 ? call(line, sizes, report) : answer(line); });
        line.progress();
        user.join();
        MPI_Barrier(MPI_COMM_WORLD);
    }
    MPI_Finalize();
    if (rank == 0) {
        report.print();
    }
    return 0;
}
