#include "filters/filter.hpp"

#include <muster/base/assert.hpp>

namespace muster::data::filters {

bool has_zstd() {
    return false;
}

void undo_zstd(Bytes, Room) {
    MUSTER_ASSERT(!"asked for, although has_zstd() is false");
}

} // namespace muster::data::filters
