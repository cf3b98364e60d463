#include "transport/contract.hpp"
#include "transport/local_world.hpp"

#include <gtest/gtest.h>

namespace muster::transport::contract {
namespace {

TEST(LocalTransportSlow, MovesMoreThanTwoGiB) {
    if (memory_available_bytes() < huge_bulk_bytes_needed) {
        GTEST_SKIP() << "needs " << huge_bulk_bytes_needed << " bytes of free memory";
    }
    EXPECT_EQ(run_on_threads(huge_bulk(), 2), "");
}

} // namespace
} // namespace muster::transport::contract
