#pragma once

#include "gang/channel.hpp"
#include "gang/ending.hpp"

#include <memory>
#include <span>
#include <vector>

namespace muster::gang {

/// Waits until it is settled. When the gang ends first, the member's end of the channel is closed,
/// and the wait goes on until the channel has given the memory back.
/// @throws Error: why the gang has ended, or why the message did not come.
void await(const Completion& completion, const Ending& ending, Channel& channel);

/// Messages under way, and the guarantee that their memory is not let go of before the channel is
/// done with it: destroying transfers that nobody waited for closes the channel and waits.
class Transfers {
public:
    Transfers(Channel& channel, const Ending& ending) : channel_(channel), ending_(ending) {}

    Transfers(const Transfers&) = delete;
    Transfers& operator=(const Transfers&) = delete;
    ~Transfers();

    /// Nothing is sent where there are no bytes, and nothing received.
    void send(int to, Tag tag, std::span<const std::byte> data);
    void receive(int from, Tag tag, std::span<std::byte> into);

    /// @throws as await() does.
    void wait();

private:
    Channel& channel_;
    const Ending& ending_;
    std::vector<std::shared_ptr<Completion>> pending_;
};

} // namespace muster::gang
