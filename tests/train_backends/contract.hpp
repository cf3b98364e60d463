#pragma once

#include <muster/train/backend.hpp>

#include <span>
#include <string>

namespace muster::test {

/// One thing that every back end promises. Run by all members of a gang; throws what is wrong.
struct Clause {
    const char* name;
    void (*check)(train::Backend& backend);
};

[[nodiscard]] std::span<const Clause> contract();

/// @throws std::logic_error with this text and the member's rank.
[[noreturn]] void violated(const train::Backend& backend, const std::string& what);

} // namespace muster::test
