#include "functions.hpp"

namespace {

int same_name() {
    return 2;
}

} // namespace

const muster::detail::FunctionEntry& same_name_two() {
    return muster::detail::Registered<&same_name>::entry;
}
