// A task function that shares its name with one of journal_program.cpp.

#include <muster/core/muster.hpp>

namespace {

int twin(int x) {
    return -x;
}

} // namespace

int run_other_twin();

int run_other_twin() {
    return muster::task<&twin>(3).get();
}
