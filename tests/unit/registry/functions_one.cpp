#include "functions.hpp"

namespace {

int same_name() {
    return 1;
}

} // namespace

const muster::detail::FunctionEntry& same_name_one() {
    return muster::detail::Registered<&same_name>::entry;
}
