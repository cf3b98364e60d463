#include "local_gang.hpp"

#include "gang/communicator_state.hpp"
#include "gang/gather_values.hpp"
#include "gang/segment.hpp"
#include "memory_exchange.hpp"

#include <fmt/format.h>

#include <mutex>
#include <thread>

namespace muster::test {
namespace {

class LocalGang {
public:
    LocalGang(int n, const GangOptions& options)
        : exchange_(std::make_shared<MemoryExchange>(n)), outcomes_(static_cast<std::size_t>(n)) {
        gang::Setup setup;
        setup.id = 7;
        for (int member = 0; member < n; ++member) {
            setup.members.push_back({Rank{member}, NodeId{0}, "localhost"});
        }
        setup.shared_memory = options.engine != GangOptions::Engine::messages;
        setup.piece_bytes = options.piece_bytes;
        setup.stop = options.stop;
        if (options.engine == GangOptions::Engine::one_segment) {
            const std::uint64_t chunk_bytes = options.piece_bytes > 0
                                                  ? options.piece_bytes
                                                  : gang::SegmentLayout::chunk_bytes_default;
            setup.segment = gang::Segment::make(gang::SegmentLayout(n, chunk_bytes), 1);
        }
        for (int member = 0; member < n; ++member) {
            setup.self = member;
            setup.channel = exchange_->channel(member);
            if (options.channel_through) {
                setup.channel = options.channel_through(member, setup.channel);
            }
            states_.push_back(std::make_shared<detail::CommunicatorState>(setup));
        }
    }

    void run(const GangBody& body) {
        std::vector<std::thread> threads;
        for (std::size_t member = 0; member < states_.size(); ++member) {
            threads.emplace_back([&, member] { run_member(body, member); });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
    }

    [[nodiscard]] const std::vector<std::exception_ptr>& outcomes() const { return outcomes_; }

    [[nodiscard]] std::exception_ptr first_failure() const { return first_failure_; }

private:
    void run_member(const GangBody& body, std::size_t member) {
        try {
            Communicator communicator(states_[member]);
            body(communicator);
            gang::gather_values(communicator, {});
        } catch (const std::exception& error) {
            fail(member, error.what());
        } catch (...) {
            fail(member, "an exception of an unknown type");
        }
    }

    void fail(std::size_t member, const std::string& what) {
        outcomes_[member] = std::current_exception();
        {
            const std::lock_guard lock(mutex_);
            if (first_failure_) {
                return;
            }
            first_failure_ = outcomes_[member];
        }
        const std::string why = fmt::format("member {} (rank {}) failed: {}", member, member, what);
        for (const auto& state : states_) {
            state->abort(why);
        }
        exchange_->abort(why);
    }

    std::shared_ptr<MemoryExchange> exchange_;
    std::vector<std::shared_ptr<detail::CommunicatorState>> states_;
    std::vector<std::exception_ptr> outcomes_; // Each written by its member's thread.
    std::mutex mutex_;                         // Guards first_failure_ while threads run.
    std::exception_ptr first_failure_;
};

} // namespace

void run_gang(int n, const GangBody& body, const GangOptions& options) {
    LocalGang gang(n, options);
    gang.run(body);
    if (gang.first_failure()) {
        std::rethrow_exception(gang.first_failure());
    }
}

std::vector<std::exception_ptr>
outcomes_of_gang(int n, const GangBody& body, const GangOptions& options) {
    LocalGang gang(n, options);
    gang.run(body);
    return gang.outcomes();
}

} // namespace muster::test
