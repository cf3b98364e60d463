#include <muster/slurm/pmi2.hpp>

namespace muster::slurm {
namespace {

Failure absent() {
    return Failure{ErrorCode::usage,
                   "PMI2: this muster was built without Slurm's PMI2 client; install it (Debian: "
                   "libpmi2-0-dev) and build again, or set PMI2_ROOT to where slurm/pmi2.h is"};
}

} // namespace

bool Pmi2::compiled_in() {
    return false;
}

Result<Pmi2> Pmi2::connect() {
    return absent();
}

Pmi2::~Pmi2() = default;

Result<std::monostate> Pmi2::put(const std::string& /*key*/, const std::string& /*value*/) {
    return absent();
}

Result<std::monostate> Pmi2::fence() {
    return absent();
}

Result<std::string> Pmi2::get(const std::string& /*key*/) {
    return absent();
}

Result<std::optional<std::string>> Pmi2::step_attribute(const std::string& /*name*/) {
    return absent();
}

} // namespace muster::slurm
