#pragma once

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>

#include <string>
#include <utility>
#include <variant>

namespace muster {

/// Why a Result holds no value.
struct Failure {
    ErrorCode code = ErrorCode::failed;
    std::string message;
};

/// A value or a Failure: how state machines, parsers and codecs report an expected outcome.
/// Shaped like std::expected (C++23). `Result<std::monostate>` where there is nothing to return.
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}

    Result(Failure failure) : state_(std::in_place_index<1>, std::move(failure)) {}

    [[nodiscard]] bool has_value() const { return state_.index() == 0; }

    explicit operator bool() const { return has_value(); }

    [[nodiscard]] const T& operator*() const {
        MUSTER_ASSERT(has_value());
        return *std::get_if<0>(&state_);
    }

    [[nodiscard]] T& operator*() {
        MUSTER_ASSERT(has_value());
        return *std::get_if<0>(&state_);
    }

    const T* operator->() const { return &**this; }

    T* operator->() { return &**this; }

    [[nodiscard]] const Failure& error() const {
        MUSTER_ASSERT(!has_value());
        return *std::get_if<1>(&state_);
    }

    /// The value, or the failure thrown as Error: for the public edge, where calls throw.
    T value_or_throw() && {
        if (!has_value()) {
            throw Error(error().message, error().code);
        }
        return std::move(**this);
    }

private:
    std::variant<T, Failure> state_;
};

} // namespace muster
