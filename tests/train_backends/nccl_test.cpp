// NCCL's back end over MPI ranks: the contract, and what becomes of members that fail. With the
// stand-in (tests/support/cuda_stand_in) on any machine; with a real GPU per rank the contract
// only.

#include "contract.hpp"
#include "on_device.hpp"

#include <muster/base/error.hpp>
#include <muster/core/muster.hpp>
#include <muster/train/nccl_backend.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using muster::Communicator;
using muster::Error;
using muster::ErrorCode;
namespace train = muster::train;
using namespace std::chrono_literals;

void require(bool is_true, const std::string& what) {
    if (!is_true) {
        throw std::runtime_error(what);
    }
}

int keep_contract(Communicator& communicator) {
    const auto nccl = train::make_nccl_backend(communicator);
    const auto backend = muster::test::on_device(*nccl);
    for (const muster::test::Clause& clause : muster::test::contract()) {
        try {
            clause.check(*backend);
        } catch (const std::exception& error) {
            throw std::runtime_error(std::string(clause.name) + ": " + error.what());
        }
    }
    return communicator.rank();
}

/// A variable of the environment, for as long as this lives.
class Setting {
public:
    Setting(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }

    Setting(const Setting&) = delete;
    Setting& operator=(const Setting&) = delete;

    ~Setting() { unsetenv(name_); }

private:
    const char* name_;
};

/// All members go without NCCL, for the same reason, and what they have instead works.
void fall_back(Communicator& communicator, const std::string& reason) {
    const auto chosen = train::make_nccl_or_communicator_backend(communicator, {.timeout = 500ms});
    require(chosen.backend->name() == "communicator", "NCCL in spite of a failure");
    require(chosen.why.find(reason) != std::string::npos, chosen.why);
    std::vector<float> ones(10, 1);
    chosen.backend->all_reduce(std::span(ones)).wait();
    require(ones[9] == static_cast<float>(communicator.size()), "a wrong sum");
}

int fail_at_the_start(Communicator& communicator) {
    {
        const Setting none("CUDA_STAND_IN_DEVICES", "0");
        fall_back(communicator, "member 0: cudaGetDeviceCount failed: no CUDA-capable device");
    }
    communicator.barrier();
    if (communicator.size() > 1) {
        const Setting one("NCCL_STAND_IN_FAIL", "init:1");
        fall_back(communicator, "member 1: ncclCommInitRankConfig failed: unhandled cuda error");
    }
    return communicator.rank();
}

/// Member 1's third collective fails, or never comes; the others hear of it, and go on without it.
int fail_under_way(Communicator& communicator, bool is_silent) {
    if (communicator.size() == 1) {
        return 0;
    }
    const Setting one("NCCL_STAND_IN_FAIL", is_silent ? "silent:1:3" : "async:1:3");
    const auto nccl = train::make_nccl_backend(communicator, {.timeout = 1s});
    const auto backend = muster::test::on_device(*nccl);
    std::vector<float> data(100, 1);
    ErrorCode code{};
    try {
        for (int call = 1; call <= 4; ++call) {
            backend->all_reduce(std::span(data)).wait();
            require(call < 3, "a collective that could not be");
        }
    } catch (const Error& error) {
        code = error.code();
    }
    require(code == ErrorCode::aborted || (is_silent && code == ErrorCode::timed_out),
            "another error than the members' end");
    require(nccl->can_shrink(), "the stand-in can");
    communicator.barrier();
    if (communicator.rank() != 1) {
        const int lost[] = {1};
        nccl->shrink(lost);
        require(nccl->size() == communicator.size() - 1, "another size than that of who is left");
        std::vector<float> ones(100, 1);
        muster::test::on_device(*nccl)->all_reduce(std::span(ones)).wait();
        require(ones[99] == static_cast<float>(nccl->size()), "a wrong sum of who is left");
    }
    communicator.barrier();
    return communicator.rank();
}

} // namespace

int main(int argc, char** argv) {
    const bool is_real = argc > 1 && std::strcmp(argv[1], "--real") == 0;
    return muster::run(argc, argv, [&] {
        const int ranks = muster::cluster().ranks;
        if (is_real && muster::test::device_count() < ranks) {
            std::printf("skipped: %d GPUs for %d ranks\n", muster::test::device_count(), ranks);
            return 77;
        }
        (void)muster::task<&keep_contract>.with({.ranks = ranks})().get();
        if (!is_real) {
            (void)muster::task<&fail_at_the_start>.with({.ranks = ranks})().get();
            (void)muster::task<&fail_under_way>.with({.ranks = ranks})(false).get();
            (void)muster::task<&fail_under_way>.with({.ranks = ranks})(true).get();
        }
        std::puts("contract: as promised");
        return 0;
    });
}
