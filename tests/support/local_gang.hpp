#pragma once

#include <muster/core/communicator.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stop_token>
#include <vector>

namespace muster::gang {
class Channel;
}

namespace muster::test {

/// How the members of a local gang are joined.
struct GangOptions {
    enum class Engine {
        messages,
        shared,     ///< Memory that they make for themselves, as members of one node do.
        one_segment ///< Shared memory that is mapped once, so that the thread sanitizer sees it.
    };

    Engine engine = Engine::messages;
    std::uint64_t piece_bytes = 0; ///< Of large collectives; 0: as everywhere.
    std::stop_token stop{};        ///< Of all members.
    /// Puts something between a member and its channel.
    std::function<std::shared_ptr<gang::Channel>(int member, std::shared_ptr<gang::Channel>)>
        channel_through{};
};

using GangBody = std::function<void(Communicator&)>;

/// Runs `body` as the function of a gang of `n`, each member on a thread of its own; member i is
/// rank i, all on one node. As in the runtime, a member that throws aborts the others, and
/// those that return meet at the end.
///
/// Throws what the first member to fail threw, once all have ended.
void run_gang(int n, const GangBody& body, const GangOptions& options = {});

/// The same, and what each member threw: null if it returned.
std::vector<std::exception_ptr>
outcomes_of_gang(int n, const GangBody& body, const GangOptions& options = {});

} // namespace muster::test
