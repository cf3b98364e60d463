// The part of RankClient that notes what threads do, for the trace.

#include "runtime/rank_client.hpp"

#include <muster/core/detail/client.hpp>

#include <chrono>

namespace muster::runtime {

using trace::Event;

void RankClient::note_submitted(const owner::Submission& submission) const {
    if (trace_lane() != nullptr) {
        note_submitted(submission.first, submission);
    }
}

void RankClient::note_submitted(ObjectId first, const owner::Submission& submission) const {
    trace::Lane& lane = *trace_lane();
    const auto* const current = detail::current_task();
    const std::uint64_t stride = submission.task_class.stride();
    lane.add({.event = Event::submitted,
              .number = static_cast<std::uint32_t>(submission.task_class.function),
              .id = static_cast<std::uint64_t>(first),
              .begin = trace::nanoseconds(std::chrono::steady_clock::now()),
              .value = submission.tasks.size()});
    const std::uint64_t parent = current == nullptr ? 0 : static_cast<std::uint64_t>(current->id);
    if (parent != 0 || stride != 1 || !submission.name.empty()) {
        lane.add({.event = Event::submitted_by,
                  .number = submission.name.empty() ? 0 : lane.number_of(submission.name),
                  .id = static_cast<std::uint64_t>(first),
                  .begin = static_cast<std::int64_t>(stride),
                  .value = parent});
    }
    for (std::uint64_t i = 0; i < submission.tasks.size(); ++i) {
        for (const ObjectId object : submission.tasks[i].dependencies) {
            lane.add({.event = Event::depends,
                      .id = static_cast<std::uint64_t>(advance(first, i * stride)),
                      .value = static_cast<std::uint64_t>(object)});
        }
    }
    if (submission.call) { // it cannot start before its actor is made
        lane.add({.event = Event::depends,
                  .id = static_cast<std::uint64_t>(first),
                  .value = static_cast<std::uint64_t>(submission.call->actor)});
    }
}

RankClient::Waiting::Waiting(const RankClient& client, std::optional<ObjectId> object)
    : lane_(client.trace_lane()), object_(object) {
    if (lane_ != nullptr) {
        began_ = std::chrono::steady_clock::now();
    }
}

RankClient::Waiting::~Waiting() {
    if (lane_ == nullptr) {
        return;
    }
    const auto* const current = detail::current_task();
    const std::uint64_t who = current == nullptr ? 0 : static_cast<std::uint64_t>(current->id);
    const Duration waited = std::chrono::steady_clock::now() - began_;
    lane_->add({.event = Event::waited,
                .id = who,
                .begin = trace::nanoseconds(began_),
                .value = static_cast<std::uint64_t>(waited.count())});
    if (object_) {
        lane_->add({.event = Event::waited_for,
                    .id = who,
                    .begin = trace::nanoseconds(began_ + waited),
                    .value = static_cast<std::uint64_t>(*object_)});
    }
}

} // namespace muster::runtime
