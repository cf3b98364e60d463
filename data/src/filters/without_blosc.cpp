#include "filters/filter.hpp"

#include <muster/base/assert.hpp>

namespace muster::data::filters {

bool has_blosc() {
    return false;
}

void undo_blosc(Bytes, Room) {
    MUSTER_ASSERT(!"asked for, although has_blosc() is false");
}

} // namespace muster::data::filters
