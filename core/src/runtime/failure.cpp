#include "runtime/failure.hpp"

#include <muster/core/error.hpp>

#include <cxxabi.h>
#include <fmt/format.h>

#include <cstdlib>
#include <new>
#include <stdexcept>
#include <system_error>
#include <typeinfo>

namespace muster {
namespace {

using wire::StandardType;

std::string demangle(const char* name) {
    int status = 0;
    char* text = abi::__cxa_demangle(name, nullptr, nullptr, &status);
    std::string result = status == 0 && text != nullptr ? text : name;
    std::free(text);
    return result;
}

/// The name says by itself what it is of.
bool has_its_kind(const std::string& name) {
    return name.starts_with("actor ") || name.starts_with("placement group");
}

std::string summary(const std::vector<TaskFailure>& chain) {
    std::string text;
    for (std::size_t i = 0; i < chain.size(); ++i) {
        const auto& failure = chain[i];
        text += i == 0 ? "" : "\n  because ";
        text += failure.task.empty() ? to_string(failure.id)
                                     : fmt::format("{}{} ({})",
                                                   has_its_kind(failure.task) ? "" : "task ",
                                                   failure.task,
                                                   to_string(failure.id).substr(5));
        if (failure.member) {
            text += fmt::format(", member {}", *failure.member);
        }
        if (failure.attempt > 0) {
            text += fmt::format(
                ", attempt {}, on {} ({})", failure.attempt, to_string(failure.rank), failure.host);
        }
        text += ": ";
        if (!failure.type.empty()) {
            text += failure.type + ": ";
        }
        text += failure.message;
    }
    return text;
}

} // namespace

TaskError::TaskError(std::vector<TaskFailure> chain, ErrorCode code)
    : Error(summary(chain), code), chain_(std::move(chain)) {
}

void TaskError::rethrow_cause() const {
    const TaskFailure& cause = root_cause();
    const std::string& what = cause.message;
    switch (static_cast<StandardType>(cause.standard_type)) {
    case StandardType::none:
    case StandardType::exception:
        break;
    case StandardType::runtime_error:
        throw std::runtime_error(what);
    case StandardType::range_error:
        throw std::range_error(what);
    case StandardType::overflow_error:
        throw std::overflow_error(what);
    case StandardType::underflow_error:
        throw std::underflow_error(what);
    case StandardType::logic_error:
        throw std::logic_error(what);
    case StandardType::invalid_argument:
        throw std::invalid_argument(what);
    case StandardType::domain_error:
        throw std::domain_error(what);
    case StandardType::length_error:
        throw std::length_error(what);
    case StandardType::out_of_range:
        throw std::out_of_range(what);
    case StandardType::bad_alloc:
        throw std::bad_alloc();
    case StandardType::system_error_generic:
        throw std::system_error(cause.error_number, std::generic_category(), what);
    case StandardType::system_error_system:
        throw std::system_error(cause.error_number, std::system_category(), what);
    case StandardType::muster_error:
        throw Error(what, static_cast<ErrorCode>(cause.error_number));
    case StandardType::muster_usage_error:
        throw UsageError(what);
    }
    throw std::runtime_error(cause.type.empty() ? what : cause.type + ": " + what);
}

namespace runtime {
namespace {

// Most derived first: the first match is the type that is rebuilt, for exceptions derived from a
// standard one as that standard one.
StandardType classify(const std::exception& error, std::int32_t& number) {
    if (dynamic_cast<const UsageError*>(&error) != nullptr) {
        return StandardType::muster_usage_error;
    }
    if (const auto* own = dynamic_cast<const Error*>(&error)) {
        number = static_cast<std::int32_t>(own->code());
        return StandardType::muster_error;
    }
    if (const auto* system = dynamic_cast<const std::system_error*>(&error)) {
        number = system->code().value();
        if (system->code().category() == std::generic_category()) {
            return StandardType::system_error_generic;
        }
        if (system->code().category() == std::system_category()) {
            return StandardType::system_error_system;
        }
        return StandardType::runtime_error;
    }
    if (dynamic_cast<const std::range_error*>(&error) != nullptr) {
        return StandardType::range_error;
    }
    if (dynamic_cast<const std::overflow_error*>(&error) != nullptr) {
        return StandardType::overflow_error;
    }
    if (dynamic_cast<const std::underflow_error*>(&error) != nullptr) {
        return StandardType::underflow_error;
    }
    if (dynamic_cast<const std::runtime_error*>(&error) != nullptr) {
        return StandardType::runtime_error;
    }
    if (dynamic_cast<const std::invalid_argument*>(&error) != nullptr) {
        return StandardType::invalid_argument;
    }
    if (dynamic_cast<const std::domain_error*>(&error) != nullptr) {
        return StandardType::domain_error;
    }
    if (dynamic_cast<const std::length_error*>(&error) != nullptr) {
        return StandardType::length_error;
    }
    if (dynamic_cast<const std::out_of_range*>(&error) != nullptr) {
        return StandardType::out_of_range;
    }
    if (dynamic_cast<const std::logic_error*>(&error) != nullptr) {
        return StandardType::logic_error;
    }
    if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
        return StandardType::bad_alloc;
    }
    return StandardType::exception;
}

// what() of a system_error is the message with the code's text behind it; the rebuilt one adds
// that text again, so it is taken off here.
std::string message_of(const std::exception& error) {
    std::string message = error.what();
    if (const auto* system = dynamic_cast<const std::system_error*>(&error)) {
        const std::string suffix = ": " + system->code().message();
        if (message.ends_with(suffix)) {
            message.resize(message.size() - suffix.size());
        }
    }
    return message;
}

} // namespace

std::vector<wire::FailureRecord> describe_current_exception() {
    std::vector<wire::FailureRecord> records(1);
    wire::FailureRecord& record = records.front();
    try {
        throw;
    } catch (const TaskError& error) {
        // It waited for another task that failed: that one's story is the cause.
        record.type = demangle(typeid(error).name());
        record.message = "a future it waited for failed";
        for (const auto& entry : error.chain()) {
            wire::FailureRecord cause;
            cause.kind = entry.type.empty() ? wire::FailureRecord::Kind::dependency
                                            : wire::FailureRecord::Kind::exception;
            cause.type = entry.type;
            cause.message = entry.message;
            cause.standard = static_cast<StandardType>(entry.standard_type);
            cause.error_number = entry.error_number;
            cause.task = entry.id;
            cause.name = entry.task;
            cause.rank = entry.rank;
            cause.host = entry.host;
            cause.attempt = entry.attempt;
            cause.member = entry.member;
            records.push_back(std::move(cause));
        }
    } catch (const std::exception& error) {
        record.type = demangle(typeid(error).name());
        record.message = message_of(error);
        record.standard = classify(error, record.error_number);
    } catch (...) {
        const std::type_info* type = abi::__cxa_current_exception_type();
        record.type = type != nullptr ? demangle(type->name()) : "unknown type";
        record.message = "an exception that is not a std::exception";
    }
    return records;
}

} // namespace runtime
} // namespace muster
