#pragma once

#include "gang/collective.hpp"
#include "gang/ending.hpp"
#include "gang/segment.hpp"

#include <memory>
#include <span>
#include <vector>

namespace muster::gang {

/// Collectives in memory that all members share.
///
/// Each member counts its steps where the others see it; all members know which step is what,
/// because all do the same once they have met. Small contributions lie in the segment when members
/// meet. Larger ones go through it in chunks that stay in the caches: a member puts its pieces of
/// chunk c+1 there, then works on what the others put there of chunk c, and last fetches what they
/// made of chunk c-1, so that nobody waits for somebody who is less than a chunk behind.
///
/// A chunk's memory is used again for the fourth chunk after it. A member that puts chunk c+1 has
/// seen everybody put chunk c-1, which they did after their work on chunk c-3 and after they had
/// fetched what was made of chunk c-4; with four chunks, nobody looks at that memory any more.
///
/// Reductions: every member reduces its piece of each chunk (reduce-scatter and all-gather in
/// memory; Jain et al., "Framework for Scalable Intra-Node Collective Operations using Shared
/// Memory", SC 2018).
class SharedEngine final : public Engine {
public:
    SharedEngine(int self,
                 std::span<const Member> members,
                 std::shared_ptr<Segment> segment,
                 Ending& ending);

    void run(const Collective& collective) override;
    std::vector<Buffer> gather(const Descriptor& call, const Buffer& own) override;
    void wake() override;

private:
    void meet(const Descriptor& call, std::span<const std::byte> contribution);
    void reduce(const Collective& collective);
    void reduce_scatter(const Collective& collective);
    void broadcast(const Collective& collective);
    void all_gather(const Collective& collective);
    void all_to_all(const Collective& collective);

    /// put(c), work(c) and, where given, fetch(c) for every chunk, in step with the others.
    template <class Put, class Work>
    void pipeline(std::uint64_t chunks, const Put& put, const Work& work);
    template <class Put, class Work, class Fetch>
    void pipeline(std::uint64_t chunks, const Put& put, const Work& work, const Fetch& fetch);

    void post(std::uint32_t step);
    void wait_for_all(std::uint32_t step);
    void wait_for(int member, std::uint32_t step);

    const int self_;
    const int size_;
    std::span<const Member> members_;
    std::shared_ptr<Segment> segment_;
    Ending& ending_;
    std::uint32_t step_ = 0; // Posted last. Wraps.
};

} // namespace muster::gang
