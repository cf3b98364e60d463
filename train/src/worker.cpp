#include <muster/base/error.hpp>
#include <muster/core/detail/client.hpp>
#include <muster/core/ending.hpp>
#include <muster/core/this_task.hpp>
#include <muster/train/worker.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <mutex>
#include <thread>
#include <utility>

namespace muster::train {
namespace {

std::string host_name() {
    std::array<char, 256> name{};
    ::gethostname(name.data(), name.size() - 1);
    return name.data();
}

} // namespace

/// Tells the ledger where this rank is, four times as often as somebody may be late.
class Pulse {
public:
    Pulse(std::shared_ptr<detail::Client> client,
          const Assignment& assignment,
          int rank,
          std::string node,
          const CollectiveRing& ring)
        : client_(std::move(client)), assignment_(assignment), rank_(rank), node_(std::move(node)),
          ring_(ring) {
        if (assignment.late_after.count() > 0) {
            thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
        }
    }

private:
    void run(const std::stop_token& stop) {
        const detail::CurrentScope scope(*client_, nullptr);
        std::mutex mutex;
        std::condition_variable_any never;
        std::unique_lock lock(mutex);
        while (!stop.stop_requested()) {
            try {
                const Beat beat{assignment_.attempt, rank_, node_, ring_.standing()};
                if (assignment_.ledger.call<&RunLedger::beat>(beat).get()) {
                    std::cerr << fmt::format("error: rank {} (node {}) ends its process, since it "
                                             "keeps the others waiting\n",
                                             rank_,
                                             node_);
                    std::_Exit(1);
                }
            } catch (const Error&) { // the run, or its driver, is ending
                return;
            }
            never.wait_for(lock, stop, assignment_.late_after / 4, [] { return false; });
        }
    }

    std::shared_ptr<detail::Client> client_;
    const Assignment& assignment_;
    int rank_;
    std::string node_;
    const CollectiveRing& ring_;
    std::jthread thread_; ///< Last: ends before what it uses.
};

struct Worker::Parts {
    Communicator& ranks;
    Assignment assignment;
    std::string node = host_name();
    int local_rank = 0;
    std::vector<std::string> gpus = ThisTask::gpus();
    std::stop_token stop = this_task().stop_token;
    std::optional<Checkpoint> checkpoint{};
    std::uint64_t last_step = 0;
    bool was_stopped = false;
    CollectiveRing ring{};
    std::shared_ptr<detail::Client> client = detail::current_client().shared_from_this();
    std::unique_ptr<CheckpointWriter> writer{};
    std::unique_ptr<Pulse> pulse{};
};

Worker::Worker(Communicator& ranks, Assignment assignment)
    : parts_(new Parts{.ranks = ranks, .assignment = std::move(assignment)}) {
    Parts& parts = *parts_;
    std::array<char, 64> mine{};
    std::memcpy(mine.data(), parts.node.data(), std::min(parts.node.size(), mine.size() - 1));
    std::vector<char> all(mine.size() * static_cast<std::size_t>(ranks.size()));
    ranks.all_gather(std::span<const char>(mine), std::span<char>(all));
    for (int other = 0; other < ranks.rank(); ++other) {
        const char* const name = &all[mine.size() * static_cast<std::size_t>(other)];
        parts.local_rank += std::strncmp(name, mine.data(), mine.size()) == 0 ? 1 : 0;
    }
    if (parts.assignment.from) {
        parts.checkpoint.emplace(parts.assignment.from->path);
        parts.last_step = parts.checkpoint->step();
    }
    parts.writer = std::make_unique<CheckpointWriter>(CheckpointWriterOptions{
        .folder = parts.assignment.storage,
        .rank = ranks.rank(),
        .done =
            [&parts, rank = ranks.rank(), world = ranks.size()](const WrittenCheckpoint& written) {
                const detail::CurrentScope scope(*parts.client, nullptr);
                parts.assignment.ledger
                    .call<&RunLedger::written>(parts.assignment.attempt, rank, world, written)
                    .get();
            }});
    parts.pulse = std::make_unique<Pulse>(
        parts.client, parts.assignment, ranks.rank(), parts.node, parts.ring);
}

Worker::~Worker() = default;

int Worker::rank() const {
    return parts_->ranks.rank();
}

int Worker::world_size() const {
    return parts_->ranks.size();
}

int Worker::local_rank() const {
    return parts_->local_rank;
}

const std::string& Worker::node() const {
    return parts_->node;
}

const std::vector<std::string>& Worker::gpus() const {
    return parts_->gpus;
}

std::string Worker::device() const {
    return parts_->gpus.empty() ? "cpu" : "cuda:" + parts_->gpus.front();
}

Communicator& Worker::communicator() const {
    return parts_->ranks;
}

data::Shard Worker::shard() const {
    return {static_cast<std::uint32_t>(rank()), static_cast<std::uint32_t>(world_size())};
}

std::uint32_t Worker::attempt() const {
    return parts_->assignment.attempt;
}

const std::optional<Checkpoint>& Worker::checkpoint() const {
    return parts_->checkpoint;
}

void Worker::report(std::uint64_t step, const Metrics& metrics) {
    parts_->last_step = step;
    parts_->assignment.ledger.call<&RunLedger::report>(
        parts_->assignment.attempt, rank(), step, metrics);
}

void Worker::report(const Metrics& metrics) {
    report(parts_->last_step + 1, metrics);
}

void Worker::report(const Metrics& metrics, const State& state) {
    report(state.step(), metrics);
    parts_->writer->save(state, metrics);
}

bool Worker::should_stop() {
    std::uint8_t flag = stopping() ? 1 : 0;
    try {
        all_reduce(std::span(&flag, 1), ReduceOp::max);
    } catch (const Error&) {
        // No time is left to agree: all members are asked to stop, and each saves what it has.
        if (!stopping() || !parts_->stop.stop_requested()) {
            throw;
        }
        flag = 1;
    }
    parts_->was_stopped = parts_->was_stopped || flag != 0;
    return flag != 0;
}

std::stop_token Worker::stop_token() const {
    return parts_->stop;
}

void Worker::phase(Phase phase) {
    parts_->ring.phase(phase);
}

void Worker::barrier() {
    const LoggedCollective logged(parts_->ring, Collective::barrier, 0);
    parts_->ranks.barrier();
}

CollectiveLog& Worker::collective_log() const {
    return parts_->ring;
}

void Worker::finish() {
    parts_->writer->wait();
    if (parts_->was_stopped) {
        parts_->assignment.ledger.call<&RunLedger::stopped>(parts_->assignment.attempt);
    }
    parts_->assignment.ledger.call<&RunLedger::sync>().get();
}

} // namespace muster::train
