#include "sweep/record.hpp"

#include "run/machine.hpp"
#include "sweep/output_file.hpp"

#include <muster/core/command_task.hpp>
#include <muster/core/runtime.hpp>
#include <muster/core/this_task.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace muster::launcher::sweep {
namespace {

constexpr int code_of_timeout = 124; // as timeout(1) has it
constexpr int code_of_no_start = 126;
constexpr Bytes tail_max{2048};
/// More than that is not sent to the driver to be printed, and the record says so.
constexpr std::size_t returned_max = std::size_t{256} << 20;

/// What the commands on one rank share. Ranks of one process (MUSTER_LOCAL_RANKS) each have theirs.
struct RankState {
    std::mutex mutex; ///< Guards all below.
    std::vector<bool> slots;
    std::map<std::pair<std::string, std::string>, std::shared_ptr<OutputWriter>> writers;
};

RankState& state_of(Rank rank) {
    static std::mutex mutex;
    static std::map<Rank, RankState> states;
    const std::lock_guard lock(mutex);
    return states[rank];
}

/// The smallest number from 1 that no other command on this rank has now. Numbers of different
/// ranks lie `slots_per_rank` apart.
class Slot {
public:
    Slot(RankState& state, Rank rank) : state_(state) {
        const std::lock_guard lock(state_.mutex);
        const auto free = std::find(state_.slots.begin(), state_.slots.end(), false);
        place_ = static_cast<std::size_t>(free - state_.slots.begin());
        if (free == state_.slots.end()) {
            state_.slots.push_back(true);
        } else {
            *free = true;
        }
        number_ = static_cast<std::size_t>(index(rank)) * slots_per_rank() + place_ + 1;
    }

    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    ~Slot() {
        const std::lock_guard lock(state_.mutex);
        state_.slots[place_] = false;
    }

    [[nodiscard]] std::size_t number() const { return number_; }

private:
    static std::size_t slots_per_rank() {
        const auto info = cluster();
        const auto cpus =
            info.capacity.cpus.units() / Amount::units_per_one / std::max(1, info.ranks);
        return static_cast<std::size_t>(std::max<std::int64_t>(1, cpus));
    }

    RankState& state_;
    std::size_t place_ = 0;
    std::size_t number_ = 0;
};

std::shared_ptr<OutputWriter> writer_for(RankState& state, const Order& order, Rank rank) {
    if (order.output_name.empty()) {
        return nullptr;
    }
    const std::lock_guard lock(state.mutex);
    auto& writer = state.writers[{order.output, order.output_name}];
    if (!writer) {
        writer = std::make_shared<OutputWriter>(
            order.output, fmt::format("{}-{}", order.output_name, index(rank)));
    }
    return writer;
}

CommandSpec specify(const Command& command, std::size_t slot) {
    const auto fill = [&](std::string text) {
        for (auto at = text.find(slot_mark); at != std::string::npos;
             at = text.find(slot_mark, at)) {
            text.replace(at, slot_mark.size(), std::to_string(slot));
        }
        return text;
    };
    CommandSpec spec;
    for (const std::string& word : command.argv) {
        spec.argv.push_back(fill(word));
    }
    for (const auto& [name, value] : command.environment) {
        spec.environment.emplace_back(name, fill(value));
    }
    spec.environment.emplace_back("MUSTER_COMMAND_NUMBER", std::to_string(command.number));
    spec.environment.emplace_back("MUSTER_COMMAND_ATTEMPT", std::to_string(command.attempt));
    spec.environment.emplace_back("MUSTER_COMMAND_SLOT", std::to_string(slot));
    spec.directory = fill(command.directory);
    spec.input = fill(command.input);
    spec.input_file = fill(command.input_file);
    spec.capture_max = tail_max;
    return spec;
}

double seconds_since_1970() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

} // namespace

std::string Record::how() const {
    if (timed_out) {
        return "took too long, and was ended";
    }
    if (!error.empty()) {
        return error;
    }
    if (signal != 0) {
        return fmt::format("was ended by signal {} ({})", signal, ::strsignal(signal));
    }
    return fmt::format("ended with exit code {}", exit_code);
}

Record carry_out(const Order& order) {
    const Rank rank = cluster().rank;
    RankState& state = state_of(rank);
    const Slot slot(state, rank);
    const auto writer = writer_for(state, order, rank);
    Record record;
    record.run = order.run;
    record.last = order.last;
    record.rank = index(rank);
    record.host = run::host_name();
    record.began = seconds_since_1970();
    Entry entry{.id = order.id, .attempt = order.command.attempt};
    entry.begin = writer ? writer->position() : 0;
    const auto hear = [&](CommandStream stream, std::string_view bytes) {
        const bool is_error = stream == CommandStream::err;
        if (writer) {
            writer->write(
                order.id, order.command.attempt, is_error ? Channel::err : Channel::out, bytes);
        }
        if (order.returns_output) {
            (is_error ? record.err : record.out) += bytes;
            if (record.out.size() + record.err.size() > returned_max) {
                throw Error(fmt::format("its output is larger than {} MiB: with --journal it is "
                                        "written to files",
                                        returned_max >> 20),
                            ErrorCode::out_of_memory);
            }
        }
    };
    try {
        const CommandResult result =
            run_here(specify(order.command, slot.number()),
                     hear,
                     {.memory = Bytes{order.memory_bytes},
                      .timeout = std::chrono::milliseconds(order.timeout_ms)});
        record.signal = result.signal;
        record.timed_out = result.timed_out;
        record.exit_code = result.timed_out ? code_of_timeout : result.exit_code;
        record.wall_seconds = result.wall_seconds;
        record.cpu_seconds = result.cpu_seconds;
        record.memory_peak_bytes = result.memory_peak.count;
        record.tail = record.ok() ? std::string() : result.err;
    } catch (const OutputError&) {
        throw; // the disk's fault, not the command's
    } catch (const Error& error) {
        // Stopped with the sweep: that is no end of the command's own.
        if (error.code() == ErrorCode::cancelled || this_task().stop_token.stop_requested()) {
            throw;
        }
        record.exit_code = code_of_no_start;
        record.error = error.what();
    }
    if (writer) {
        entry.exit_code = record.exit_code;
        writer->finish(entry);
    }
    return record;
}

} // namespace muster::launcher::sweep
