#include "recorder/recorder.hpp"
#include "runtime/rank_client.hpp"

#include <muster/core/runtime.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

/// The part of a rank's client that knows of tasks with keys and of the journal.
namespace muster::runtime {
namespace {

using detail::KeyDigest;

bool is_lambda(std::string_view name) {
    return name == "lambda" || name.starts_with("lambda in ");
}

/// What all tasks of one submission have in common in their keys.
KeyDigest digest_of(const detail::FunctionEntry& function, const std::string& key) {
    KeyDigest whole = detail::digest(std::string_view(function.name));
    return detail::digest(std::string_view(key), whole);
}

KeyDigest digest_of(const detail::ArgumentsKey& arguments,
                    const detail::FunctionShape& shape,
                    const KeyDigest& before) {
    KeyDigest whole = detail::digest(std::as_bytes(std::span(&shape.parameters, 1)), before);
    return detail::digest(std::as_bytes(std::span(&arguments.digest, 1)), whole);
}

} // namespace

std::vector<KeyDigest> RankClient::digest_keys(const detail::FunctionEntry& function,
                                               const TaskOptions& options,
                                               const detail::EncodedTasks& tasks,
                                               const std::string& what) const {
    const auto refuse = [&](const std::string& why) {
        throw Error(fmt::format("{} cannot be keyed: {}", what, why), ErrorCode::usage);
    };
    if (detail::current_task() != nullptr) {
        refuse("a task submits it, and only the driver submits keyed tasks (`.key`, `.keyed`). "
               "Key the task that submits it, or submit it from the driver");
    }
    if (options.key.empty() && is_lambda(function.name)) {
        refuse("it is a lambda, which has no name of its own to find its results by. Name the work "
               "with `.key`, or make it a function");
    }
    if (options.key.empty() && functions_.shares_name(function)) {
        refuse("another task function has the same name, so their results could be mistaken for "
               "each other's. Name the work with `.key`, or rename one of them");
    }
    const detail::FunctionShape shape = function.shape();
    const KeyDigest common = digest_of(function, options.key);
    if (tasks.keys.empty()) {
        return std::vector<KeyDigest>(tasks.tasks.size(), common);
    }
    std::vector<KeyDigest> keys;
    keys.reserve(tasks.keys.size());
    for (const auto& arguments : tasks.keys) {
        if (arguments.unkeyed_input || arguments.has_actors) {
            refuse(!arguments.has_actors
                       ? "its arguments belong to its key, and one of them is, or contains, a "
                         "future that has none. Key the task that makes it, too, or name this "
                         "task's work with `.key` alone"
                       : "its arguments belong to its key, and one of them contains a handle of an "
                         "actor, which is another in every run. Name this task's work with `.key` "
                         "alone");
        }
        keys.push_back(digest_of(arguments, shape, common));
    }
    return keys;
}

std::vector<std::optional<Buffer>> RankClient::recorded(const detail::FunctionEntry& function,
                                                        std::span<const std::string> keys) {
    if (detail::current_task() != nullptr) {
        throw Error(
            "recorded() is the driver's to call: a task may run on a rank without a journal",
            ErrorCode::usage);
    }
    if (config_.journal == nullptr) {
        return std::vector<std::optional<Buffer>>(keys.size());
    }
    std::vector<KeyDigest> digests;
    digests.reserve(keys.size());
    for (const std::string& key : keys) {
        digests.push_back(digest_of(function, key));
    }
    return config_.journal->find(
        digests, function.shape().result, fmt::format("recorded() of {}", function.name));
}

std::shared_ptr<detail::FutureBlock> RankClient::submit_keyed(owner::Submission submission,
                                                              std::vector<KeyDigest> keys,
                                                              const detail::FunctionEntry& function,
                                                              const std::string& what) {
    recorder::Recorder& journal = *config_.journal;
    const std::uint64_t shape = function.shape().result;
    const auto ids = submission.task_class.stride();
    auto found = journal.find(keys, shape, what);
    auto block = std::make_shared<detail::FutureBlock>(
        shared_from_this(), submission.first, submission.tasks.size(), ids);
    std::vector<recorder::Recorder::Wanted> wanted;
    for (std::uint64_t i = 0; i < keys.size(); ++i) {
        if (!found[i]) {
            wanted.push_back({block->id(i), keys[i]});
            continue;
        }
        wire::Outcome outcome;
        outcome.value = *found[i];
        submission.known.emplace_back(i, std::move(outcome));
        auto& slot = block->slot(i);
        slot.value = std::move(*found[i]);
        slot.state.store(detail::SlotState::value, std::memory_order_release);
    }
    block->set_keys(std::move(keys));
    for (const auto& task : wanted) {
        block->hold(block->index_of(task.task));
    }
    submission.futures = block;
    submission.withheld = true;
    note_submitted(submission);
    bool posted = true;
    if (wanted.empty()) {
        posted = post(rank::Event{rank::TasksSubmitted{std::move(submission)}});
    } else {
        journal.want(std::move(wanted), shape, [&] {
            posted = post(rank::Event{rank::TasksSubmitted{std::move(submission)}});
        });
    }
    if (!posted) {
        throw_ended();
    }
    return block;
}

void RankClient::tell_journal_slots() const {
    if (config_.journal != nullptr) {
        const std::int64_t cpus = cluster().capacity.cpus.units() / Amount::units_per_one;
        config_.journal->set_slots(static_cast<std::uint64_t>(std::max<std::int64_t>(cpus, 1)));
    }
}

void RankClient::report_keyed(detail::FutureBlock& block,
                              std::uint64_t index,
                              const wire::Outcome& outcome) {
    if (const auto* key = block.key(index); key != nullptr && config_.journal != nullptr) {
        if (block.let_go(index)) {
            config_.journal->on_outcome(block.id(index), *key, outcome);
        }
    }
}

void RankClient::decide(std::vector<TaskId> run,
                        std::vector<std::pair<TaskId, wire::Outcome>> done) {
    post(rank::Event{rank::TasksDecided{std::move(run), std::move(done)}});
}

bool RankClient::seal_journal(std::chrono::nanoseconds timeout) {
    return config_.journal == nullptr || config_.journal->seal(timeout);
}

JournalStatus RankClient::journal_status() {
    if (config_.journal == nullptr) {
        return {};
    }
    const auto [running, elsewhere] = config_.journal->under_way();
    return {running, elsewhere};
}

void RankClient::sync_journal() {
    if (config_.journal != nullptr) {
        constexpr std::chrono::minutes patience{10}; // for a file system that hangs
        if (!config_.journal->seal(patience)) {
            config_.journal->throw_if_failed();
            throw Error(
                "sync_journal(): the journal's file system has not answered for 10 minutes");
        }
    }
}

} // namespace muster::runtime

namespace muster {

JournalStatus journal_status() {
    auto& client = dynamic_cast<runtime::RankClient&>(detail::current_client());
    if (detail::current_task() != nullptr) {
        throw Error("journal_status() is for the driver, whose rank keeps the journal",
                    ErrorCode::usage);
    }
    return client.journal_status();
}

void sync_journal() {
    auto& client = dynamic_cast<runtime::RankClient&>(detail::current_client());
    if (detail::current_task() != nullptr) {
        throw Error("sync_journal() is for the driver, whose rank keeps the journal",
                    ErrorCode::usage);
    }
    client.sync_journal();
}

} // namespace muster
