#pragma once

#include "launch/plan_launch.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::launch {

/// What the dynamic section of a program or library says, and whether Muster is linked into it.
struct ElfFacts {
    std::vector<std::string> needed; ///< Names of libraries: "libmpi.so.40".
    std::vector<std::string> search; ///< Where it wants them looked for (RPATH, RUNPATH).
    bool is_muster = false;          ///< Has the note that libmuster_core leaves.
};

/// Reads a 64-bit little-endian ELF file. Nothing if it is none, or is damaged.
[[nodiscard]] std::optional<ElfFacts> read_elf(std::string_view bytes);

/// Of the name of a library: libmpi.so.40 is Open MPI's, libmpi.so.12 and libmpich.so.12 MPICH's.
[[nodiscard]] MpiLibrary mpi_library_of(std::string_view library_name);

/// What kind of program a file is.
struct ProgramKind {
    std::string path; ///< Empty: not found in PATH.
    MpiLibrary library = MpiLibrary::none;
    bool is_muster = false;
};

/// Reads the program's file, and those of the libraries that it names: a program may use MPI
/// through a library of its own. A script is no MPI program by itself.
[[nodiscard]] ProgramKind inspect_program(const std::string& program,
                                          const slurm::Environment& environment);

/// "/usr/bin/srun" of "srun": as execvp() finds it. Empty if it does not.
[[nodiscard]] std::string find_program(std::string_view name,
                                       const slurm::Environment& environment);

} // namespace muster::launcher::launch
