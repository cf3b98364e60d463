#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace muster::registry {

/// A loaded program or shared library.
struct Module {
    struct Segment {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
    };

    std::uintptr_t base = 0; ///< What the addresses in its file are relative to.
    std::vector<Segment> segments;
    std::string name;     ///< File name without folders; "program" for the program itself.
    std::string build_id; ///< In hexadecimal; empty if it was linked without one.

    [[nodiscard]] bool contains(std::uintptr_t address) const;
};

/// Everything that is loaded at this moment.
std::vector<Module> loaded_modules();

} // namespace muster::registry
