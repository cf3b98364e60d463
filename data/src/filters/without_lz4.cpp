#include "filters/filter.hpp"

#include <muster/base/assert.hpp>

namespace muster::data::filters {

bool has_lz4() {
    return false;
}

void undo_lz4(Bytes, Room) {
    MUSTER_ASSERT(!"asked for, although has_lz4() is false");
}

} // namespace muster::data::filters
