#pragma once

#include <muster/base/ids.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace muster {

/// What the values of tasks and put() take on one rank. Sizes in bytes.
struct RankMemory {
    Rank rank{};
    std::string host;
    bool answered = true;     ///< False: it was silent for a second, and nothing below is known.
    std::uint64_t values = 0; ///< That the rank keeps, copies of others' included.
    std::uint64_t value_bytes = 0;
    std::uint64_t memory = 0;     ///< Of large ones, in memory that the node's ranks share.
    std::uint64_t memory_max = 0; ///< The rank's part of MUSTER_OBJECT_MEMORY.
    std::uint64_t disk = 0;       ///< Of those that had no room there (MUSTER_SPILL_DIRECTORY).
    std::uint64_t disk_max = 0;
};

/// A large value that is kept, and why.
struct ValueMemory {
    ObjectId object{};
    std::string made_by; ///< The function whose result it is, by name; "put" if it was put().
    std::string name;    ///< Of that task, if it has one.
    std::uint64_t bytes = 0;
    Rank owner{};             ///< That submitted the task, or called put().
    Rank holder{};            ///< On which it lies.
    std::uint64_t copies = 0; ///< On other ranks.
    std::uint64_t tasks = 0;  ///< That are not done, and take it.
    bool by_futures = false;  ///< Futures on the owner's rank hold it.
    bool sent_away = false; ///< A future of it went elsewhere: kept until the run ends, or free().
};

struct MemoryReport {
    std::vector<RankMemory> ranks;    ///< All, by rank.
    std::vector<ValueMemory> largest; ///< Values, up to five of each owner, the largest first.
};

/// What holds memory, on all ranks: what `kill -USR1` prints of values, for a program. Asks every
/// rank, so it takes about a round trip, or a second where a rank is silent. Any thread of a run;
/// not in isolated tasks. @throws Error (usage) there and outside a run.
[[nodiscard]] MemoryReport memory_report();

} // namespace muster
