#include <muster/slurm/environment.hpp>
#include <muster/slurm/pmi2.hpp>

#include <fmt/format.h>
#include <slurm/pmi2.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace muster::slurm {
namespace {

static_assert(Pmi2::key_bytes_max < PMI2_MAX_KEYLEN);
static_assert(Pmi2::value_bytes_max < PMI2_MAX_VALLEN);

using Value = std::array<char, PMI2_MAX_VALLEN + 1>;

Failure failed(std::string_view call, int code) {
    return Failure{ErrorCode::failed,
                   fmt::format("{} of Slurm's PMI2 library failed with code {}", call, code)};
}

/// Slurm's client does not escape what its protocol takes for itself, and a longer text is cut.
std::optional<Failure>
refused(std::string_view what, std::string_view text, std::size_t bytes_max, std::string_view own) {
    const bool plain = std::ranges::all_of(text, [&](char letter) {
        return letter >= ' ' && letter <= '~' && own.find(letter) == std::string_view::npos;
    });
    if (plain && text.size() <= bytes_max && !text.empty()) {
        return std::nullopt;
    }
    return Failure{
        ErrorCode::usage,
        fmt::format("PMI2: a {} is 1 to {} printable ASCII characters, without '{}', and "
                    "this one has {} bytes: '{}'",
                    what,
                    bytes_max,
                    own,
                    text.size(),
                    text.substr(0, 80))};
}

std::optional<Failure> not_a_client(const Environment& environment) {
    if (PMI2_Initialized() != 0) {
        return Failure{ErrorCode::usage, "PMI2: this process has connected before"};
    }
    // Without a server the library would make every task a world of one, and say nothing.
    if (!environment.has("PMI_FD") || !environment.has("SLURM_STEP_ID")) {
        const auto used = environment.get_or_empty("SLURM_MPI_TYPE");
        return Failure{ErrorCode::usage,
                       fmt::format("PMI2: no server; start with 'srun --mpi=pmi2'{}",
                                   used.empty() ? "" : fmt::format(" (srun used --mpi={})", used))};
    }
    return std::nullopt;
}

} // namespace

bool Pmi2::compiled_in() {
    return true;
}

Result<Pmi2> Pmi2::connect() {
    const auto environment = Environment::of_process();
    if (auto failure = not_a_client(environment)) {
        return *failure;
    }
    int spawned = 0;
    int size = 0;
    int rank = 0;
    int program = 0;
    if (const int code = PMI2_Init(&spawned, &size, &rank, &program); code != PMI2_SUCCESS) {
        return failed("PMI2_Init", code);
    }
    Value step{};
    if (const int code = PMI2_Job_GetId(step.data(), PMI2_MAX_VALLEN); code != PMI2_SUCCESS) {
        PMI2_Finalize();
        return failed("PMI2_Job_GetId", code);
    }
    return Pmi2(rank, size, step.data());
}

Pmi2::~Pmi2() {
    if (size_ > 0) {
        PMI2_Finalize();
    }
}

Result<std::monostate> Pmi2::put(const std::string& key, const std::string& value) {
    if (auto failure = refused("key", key, key_bytes_max, ";=")) {
        return *failure;
    }
    if (auto failure = refused("value", value, value_bytes_max, ";")) {
        return *failure;
    }
    if (const int code = PMI2_KVS_Put(key.c_str(), value.c_str()); code != PMI2_SUCCESS) {
        return failed("PMI2_KVS_Put", code);
    }
    return std::monostate{};
}

Result<std::monostate> Pmi2::fence() {
    if (const int code = PMI2_KVS_Fence(); code != PMI2_SUCCESS) {
        return failed("PMI2_KVS_Fence", code);
    }
    return std::monostate{};
}

Result<std::string> Pmi2::get(const std::string& key) {
    if (auto failure = refused("key", key, key_bytes_max, ";=")) {
        return *failure;
    }
    Value value{};
    int length = 0;
    const int code = PMI2_KVS_Get(
        step_.c_str(), PMI2_ID_NULL, key.c_str(), value.data(), PMI2_MAX_VALLEN, &length);
    if (code != PMI2_SUCCESS || length < 0) {
        return Failure{
            ErrorCode::failed,
            fmt::format("PMI2: no task of step {} put '{}' before the last fence (code {})",
                        step_,
                        key,
                        code)};
    }
    return std::string(value.data());
}

Result<std::optional<std::string>> Pmi2::step_attribute(const std::string& name) {
    Value value{};
    int found = 0;
    const int code = PMI2_Info_GetJobAttr(name.c_str(), value.data(), PMI2_MAX_VALLEN, &found);
    if (code != PMI2_SUCCESS) {
        return failed("PMI2_Info_GetJobAttr", code);
    }
    return found != 0 ? std::optional<std::string>(value.data()) : std::nullopt;
}

} // namespace muster::slurm
