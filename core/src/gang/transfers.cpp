#include "gang/transfers.hpp"

#include "gang/patience.hpp"

namespace muster::gang {
namespace {

// Whatever happens to the gang: the channel has promised to settle it.
void settle(const Completion& completion) {
    Patience patience;
    while (completion.pending()) {
        if (!patience.pass()) {
            completion.sleep(Patience::sleep_max);
        }
    }
}

} // namespace

void await(const Completion& completion, const Ending& ending, Channel& channel) {
    Patience patience;
    while (completion.pending()) {
        if (ending.ended()) {
            channel.close("this member of the gang has given up");
            settle(completion);
            ending.check();
        }
        if (!patience.pass()) {
            completion.sleep(Patience::sleep_max);
        }
    }
    if (completion.state() == Completion::State::failed) {
        ending.check();
        throw Error(completion.why().empty() ? "the gang has ended" : completion.why(),
                    completion.code());
    }
}

Transfers::~Transfers() {
    for (const auto& completion : pending_) {
        if (completion->pending()) {
            channel_.close("this member of the gang has given up");
            settle(*completion);
        }
    }
}

void Transfers::send(int to, Tag tag, std::span<const std::byte> data) {
    if (!data.empty()) {
        pending_.push_back(std::make_shared<Completion>());
        channel_.send(to, tag, data, pending_.back());
    }
}

void Transfers::receive(int from, Tag tag, std::span<std::byte> into) {
    if (!into.empty()) {
        pending_.push_back(std::make_shared<Completion>());
        channel_.receive(from, tag, into, pending_.back());
    }
}

void Transfers::wait() {
    for (const auto& completion : pending_) {
        await(*completion, ending_, channel_);
    }
    pending_.clear();
}

} // namespace muster::gang
