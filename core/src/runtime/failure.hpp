#pragma once

#include "wire/messages.hpp"

#include <muster/core/detail/future_block.hpp>

#include <string>
#include <vector>

namespace muster::runtime {

/// Describes the exception being handled; call it inside a catch block. The record's task fields
/// are left to the caller. A TaskError's own chain follows as causes.
std::vector<wire::FailureRecord> describe_current_exception();

/// The public form of a failure chain. Functions are named from the table that `name_of` looks up.
template <class NameOf>
detail::SlotFailure to_slot_failure(const std::vector<wire::FailureRecord>& records,
                                    NameOf&& name_of) {
    detail::SlotFailure failure;
    for (const auto& record : records) {
        TaskFailure entry;
        entry.type = record.type;
        entry.message = record.message;
        entry.task = record.name.empty() ? name_of(record) : record.name;
        entry.id = record.task;
        entry.rank = record.rank;
        entry.host = record.host;
        entry.attempt = record.attempt;
        entry.member = record.member;
        entry.standard_type = static_cast<std::uint8_t>(record.standard);
        entry.error_number = record.error_number;
        failure.chain.push_back(std::move(entry));
    }
    if (!records.empty()) {
        switch (records.front().kind) {
        case wire::FailureRecord::Kind::cancelled:
            failure.code = ErrorCode::cancelled;
            break;
        case wire::FailureRecord::Kind::timed_out:
            failure.code = ErrorCode::timed_out;
            break;
        case wire::FailureRecord::Kind::restarted:
            failure.code = ErrorCode::restarted;
            break;
        case wire::FailureRecord::Kind::object_lost:
            failure.code = ErrorCode::object_lost;
            break;
        default:
            failure.code = ErrorCode::task_failed;
            break;
        }
        // Also of what only waited for one that did not start.
        if (records.back().kind == wire::FailureRecord::Kind::ended) {
            failure.code = ErrorCode::ending;
        }
    }
    return failure;
}

} // namespace muster::runtime
