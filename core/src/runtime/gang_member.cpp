#include "runtime/gang_member.hpp"

#include "gang/channel.hpp"
#include "gang/communicator_state.hpp"

#include <cstring>
#include <utility>

namespace muster::runtime {
namespace {

/// Through the progress threads of both ranks, wherever they are.
class ProgressChannel final : public gang::Channel {
public:
    ProgressChannel(LeaseId gang, int self, std::function<void(rank::Event)> report)
        : gang_(gang), self_(self), report_(std::move(report)) {}

    void send(int to,
              gang::Tag tag,
              std::span<const std::byte> data,
              std::shared_ptr<gang::Completion> done) override {
        const wire::GangAddress address{gang_, self_, to, tag};
        if (data.size() <= exchange::Exchange::data_bytes_max) {
            // Copied here, so that the sender need not wait for the progress thread.
            report_(rank::GangSend{address, Buffer::copy_of(data), nullptr});
            done->complete();
            return;
        }
        // The sender's own memory, which stays in place until `done` is settled.
        const std::shared_ptr<const std::byte[]> shared(std::shared_ptr<void>(), data.data());
        report_(rank::GangSend{address, Buffer(shared, data.size()), std::move(done)});
    }

    void receive(int from,
                 gang::Tag tag,
                 std::span<std::byte> into,
                 std::shared_ptr<gang::Completion> done) override {
        report_(rank::GangReceive{
            {gang_, from, self_, tag}, into.data(), into.size(), std::move(done)});
    }

    void ask(int from, gang::Tag tag) override {
        report_(rank::GangAsked{{gang_, from, self_, tag}});
    }

    void returned() override { report_(rank::GangReturned{gang_, self_}); }

    void close(const std::string& why) override { report_(rank::GangGivenUp{gang_, self_, why}); }

private:
    LeaseId gang_;
    int self_;
    std::function<void(rank::Event)> report_;
};

} // namespace

GangMember::GangMember(transport::Transport& transport,
                       const wire::Gang& gang,
                       int member,
                       std::stop_token stop_token,
                       std::function<void(rank::Event)> report)
    : gang_(gang.id), member_(member), report_(std::move(report)) {
    const auto& world = transport.world();
    gang::Setup setup;
    setup.id = static_cast<std::uint64_t>(gang.id);
    setup.self = member;
    for (const Rank rank : gang.members) {
        const auto r = static_cast<std::size_t>(index(rank));
        setup.members.push_back({rank, world.node_of[r], world.host_of[r]});
    }
    setup.channel = std::make_shared<ProgressChannel>(gang.id, member, report_);
    setup.stop = std::move(stop_token);
    if (gang.raw_mpi) {
        setup.raw_communicator = [&transport, members = gang.members] {
            return transport.raw_communicator(members);
        };
    }
    auto state = std::make_shared<detail::CommunicatorState>(std::move(setup));
    report_(rank::GangOpened{gang_, gang.members, member_, state});
    communicator_ = std::make_unique<Communicator>(std::move(state));
}

GangMember::~GangMember() {
    communicator_.reset();
    report_(rank::GangClosed{gang_, member_});
}

void place_message(const wire::PlaceMessage& action) {
    if (!action.data.empty()) {
        std::memcpy(action.into, action.data.bytes().data(), action.data.size());
    }
    std::static_pointer_cast<gang::Completion>(action.completion)->complete();
}

void settle_message(const wire::SettleMessage& action) {
    const auto completion = std::static_pointer_cast<gang::Completion>(action.completion);
    if (completion == nullptr) {
        return; // its sender did not wait
    }
    if (action.why.empty()) {
        completion->complete();
    } else {
        completion->fail(action.why, action.code);
    }
}

void abort_member(const wire::AbortMember& action) {
    std::static_pointer_cast<detail::CommunicatorState>(action.port)->abort(action.why);
}

} // namespace muster::runtime
