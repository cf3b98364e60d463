// The part of RankClient that asks what has become of tasks and values.

#include "runtime/rank_client.hpp"
#include "status/sentence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace muster::runtime {
namespace {

// Ranks may be lost meanwhile.
constexpr std::chrono::seconds patience{5};

} // namespace

std::string RankClient::name_of(FunctionId function) const {
    return static_cast<std::size_t>(function) < functions_.size()
               ? std::string(functions_.at(function).name)
               : "a function";
}

std::string RankClient::explain(ObjectId task) {
    if (ended()) {
        throw_ended();
    }
    const std::uint64_t request = explanations_.next_request();
    const Blocked blocked(*this);
    post(rank::Event{rank::ExplainWanted{request, task}});
    const auto answer = explanations_.wait(request, patience);
    if (!answer) {
        if (ended()) {
            throw_ended();
        }
        return fmt::format(
            "{} is not known: nobody has answered within {} s", to_string(task), patience.count());
    }
    const auto name_of = [this](FunctionId function) { return this->name_of(function); };
    const auto host_of = [this](Rank rank) {
        return config_.host_of.at(static_cast<std::size_t>(index(rank)));
    };
    return status::explain(answer->status, name_of, host_of);
}

std::optional<wire::AnswerStatus> RankClient::ask_status() {
    const std::uint64_t request = reports_.next_request();
    post(rank::Event{rank::ReportWanted{request, true}});
    return reports_.wait(request, patience);
}

std::optional<wire::TaskStatus> RankClient::ask_task(ObjectId task) {
    const std::uint64_t request = explanations_.next_request();
    post(rank::Event{rank::ExplainWanted{request, task}});
    auto answer = explanations_.wait(request, patience);
    return answer ? std::optional(std::move(answer->status)) : std::nullopt;
}

std::optional<wire::TasksPage> RankClient::ask_tasks(Rank rank, wire::TasksWanted question) {
    question.request = task_lists_.next_request();
    const std::uint64_t request = question.request;
    post(rank::Event{rank::TasksAsked{rank, std::move(question)}});
    auto answer = task_lists_.wait(request, patience);
    return answer ? std::optional(std::move(answer->page)) : std::nullopt;
}

void RankClient::answer_tasks(wire::AnswerTasks answer) {
    task_lists_.answer(std::move(answer));
}

void RankClient::answer_explain(wire::AnswerExplain answer) {
    explanations_.answer(std::move(answer));
}

MemoryReport RankClient::memory_report() {
    if (ended()) {
        throw_ended();
    }
    const std::uint64_t request = reports_.next_request();
    const Blocked blocked(*this);
    post(rank::Event{rank::ReportWanted{request, false}});
    const auto answer = reports_.wait(request, patience);
    if (!answer && ended()) {
        throw_ended();
    }
    MemoryReport report;
    for (std::size_t i = 0; i < config_.host_of.size(); ++i) {
        RankMemory& rank = report.ranks.emplace_back();
        rank.rank = Rank{static_cast<std::int32_t>(i)};
        rank.host = config_.host_of[i];
        rank.answered = answer && i < answer->ranks.size() && answer->ranks[i];
        if (!rank.answered) {
            continue;
        }
        const wire::Status& status = *answer->ranks[i];
        rank.values = status.values;
        rank.value_bytes = status.value_bytes;
        rank.memory = status.room.memory;
        rank.memory_max = status.room.memory_max;
        rank.disk = status.room.disk;
        rank.disk_max = status.room.disk_max;
        for (const wire::ValueStatus& value : status.largest) {
            report.largest.push_back({value.object,
                                      value.is_put ? "put" : name_of(value.function),
                                      value.name,
                                      value.size,
                                      owner_of(value.object),
                                      value.holder,
                                      value.copies,
                                      value.tasks,
                                      value.by_futures,
                                      value.pinned});
        }
    }
    std::stable_sort(report.largest.begin(),
                     report.largest.end(),
                     [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
    return report;
}

void RankClient::answer_status(wire::AnswerStatus answer) {
    reports_.answer(std::move(answer));
}

} // namespace muster::runtime
