#pragma once

#include "transport/transport.hpp"

#include <cstdint>
#include <memory>
#include <vector>

namespace muster::transport {

/// A world of `size` ranks inside this process, all on one node; element i is rank i's endpoint.
///
/// Each endpoint is used by a thread of its own (see Transport). Endpoints may be closed and
/// destroyed in any order; what is sent to a closed one is dropped. With size 1 it is the transport
/// of a program run alone.
///
/// Bulk data is copied once, by the receiver's poll(), in pieces so that a poll stays short.
std::vector<std::unique_ptr<Transport>> make_local_world(std::int32_t size);

} // namespace muster::transport
