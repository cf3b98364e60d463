#pragma once

#include <muster/train/backend.hpp>

#include <functional>
#include <string>

namespace muster::test {

/// Runs `body` on every member of a gang of threads, each with a back end: "reference" or
/// "communicator". Throws what the first member to fail threw.
void run_members(const std::string& backend,
                 int members,
                 const std::function<void(train::Backend&)>& body);

} // namespace muster::test
