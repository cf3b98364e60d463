#pragma once

#include "transport/scenario.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

/// What every transport promises, as scenarios that run on any of them.
namespace muster::transport::contract {

struct Body {
    std::string name;
    std::function<std::unique_ptr<Scenario>()> make; ///< A rank's part; called on every rank.
};

/// All-to-all under load, every packet size, ping-pong of sleepers, bulk of many sizes in both
/// directions, transfers at once. Up to 2 x 33 MB of memory per rank and neighbour.
std::vector<Body> bodies();

/// The last rank dies while everybody sends packets and bulk data to everybody. The others notice
/// at times of their own and lose nothing among themselves. After it, its world is good for nothing
/// else.
///
/// @param dies  False: something else ends that rank; it goes on until then.
Body lost_rank(bool dies = true);

/// Bulk of more than 2 GiB from every even rank to the next one.
Body huge_bulk();

/// Free memory that huge_bulk() needs for each pair of ranks.
inline constexpr std::size_t huge_bulk_bytes_needed = std::size_t{5} << 30;

/// MemAvailable of this machine; 0 where it cannot be read.
std::size_t memory_available_bytes();

/// Ends sleeps of this rank from a second thread, and by wake() before the sleep. Needs a thread,
/// so it is no Scenario; no other rank may send meanwhile. Returns what went wrong.
std::vector<std::string> wake_from_another_thread(Transport& transport);

} // namespace muster::transport::contract
