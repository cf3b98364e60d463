#pragma once

#include <stdexcept>
#include <string>

namespace muster::sim {

/// Something the simulated system must never do. Ends the simulation; the report names the seed.
class SimFailure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

inline void require(bool holds, const char* otherwise) {
    if (!holds) {
        throw SimFailure(otherwise);
    }
}

inline void require(bool holds, const std::string& otherwise) {
    require(holds, otherwise.c_str());
}

} // namespace muster::sim
