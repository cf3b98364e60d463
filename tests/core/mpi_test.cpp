#include "body.hpp"

#include <string>

namespace muster::test {
namespace {

class Mpi : public testing::TestWithParam<Body> {};

TEST_P(Mpi, Body) {
    GetParam().run();
}

std::string name_of(const testing::TestParamInfo<Body>& info) {
    return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Core, Mpi, testing::ValuesIn(bodies()), name_of);

} // namespace
} // namespace muster::test

// One run for all bodies: what one leaves behind, the next one meets.
int main(int argc, char** argv) {
    muster::test::set_environment();
    return muster::run(argc, argv, [&] {
        testing::InitGoogleTest(&argc, argv);
        return RUN_ALL_TESTS();
    });
}
