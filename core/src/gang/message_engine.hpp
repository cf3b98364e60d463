#pragma once

#include "gang/collective.hpp"
#include "gang/ending.hpp"
#include "gang/transfers.hpp"

#include <array>
#include <optional>
#include <vector>

namespace muster::gang {

/// Collectives by messages, whatever nodes the members are on.
///
/// - The meeting is a dissemination barrier (Hensgen, Finkel, Manber, "Two Algorithms for Barrier
///   Synchronization", 1988) that carries contributions along as Bruck's all-gather does (Bruck et
///   al., IEEE TPDS 8(11), 1997, section 3): ceil(log2 n) rounds, any n.
/// - Reductions that are too large to be carried to everybody: up to tree_bytes_max by exchange
///   along the canonical tree, which for powers of two is recursive doubling; above, every member
///   reduces one slice of all (reduce-scatter, then all-gather), in pieces.
/// - Broadcasts: a binomial tree, in pieces. all_to_all: pairwise.
/// (Thakur, Rabenseifner, Gropp, "Optimization of Collective Communication Operations in MPICH",
/// IJHPCA 19(1), 2005.)
class MessageEngine final : public Engine {
public:
    /// Contributions of a meeting, all members' together, that are carried along with it.
    static constexpr std::uint64_t carried_bytes_max = 16 << 10;
    /// Reductions up to this are exchanged whole along the tree.
    static constexpr std::uint64_t tree_bytes_max = 32 << 10;
    /// Larger messages go in pieces of so many bytes, two of a pair under way.
    static constexpr std::uint64_t piece_bytes_default = 512 << 10;

    MessageEngine(int self,
                  std::span<const Member> members,
                  Channel& channel,
                  Ending& ending,
                  std::uint64_t piece_bytes = piece_bytes_default);

    void run(const Collective& collective) override;
    std::vector<Buffer> gather(const Descriptor& call, const Buffer& own) override;

    /// Not needed: the channel fails what members wait for.
    void wake() override {}

private:
    struct Frame;
    struct Meeting;

    Mismatch meet(const Descriptor& call,
                  std::span<const std::byte> contribution,
                  std::vector<const std::byte*>* blocks);
    void exchange_frames(Meeting& meeting,
                         const Descriptor& call,
                         Mismatch& mismatch,
                         std::uint64_t block_bytes);
    void part_in_step(const Descriptor& call, const Mismatch& mismatch);
    void check(const Mismatch& mismatch);

    void reduce_along_tree(const Collective& collective);
    void reduce_by_slices(const Collective& collective);
    void broadcast(const Collective& collective);
    void all_gather(const Collective& collective);
    void all_to_all(const Collective& collective);

    [[nodiscard]] Tag tag(std::uint64_t sequence, unsigned step) const;
    [[nodiscard]] int member_at(std::int64_t distance) const; ///< From this one on, around.

    const int self_;
    const int size_;
    std::span<const Member> members_;
    Channel& channel_;
    Ending& ending_;
    const std::uint64_t piece_bytes_;
    // A meeting's messages are waited for two meetings later, when they have long arrived.
    std::array<std::unique_ptr<Meeting>, 2> meetings_;

public:
    ~MessageEngine() override;
};

} // namespace muster::gang
