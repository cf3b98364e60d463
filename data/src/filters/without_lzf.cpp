#include "filters/filter.hpp"

#include <muster/base/assert.hpp>

namespace muster::data::filters {

bool has_lzf() {
    return false;
}

void undo_lzf(Bytes, Room) {
    MUSTER_ASSERT(!"asked for, although has_lzf() is false");
}

} // namespace muster::data::filters
