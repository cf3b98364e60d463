#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::submit {

/// Which MPI a program is linked with.
enum class ProgramKind {
    other,    ///< None, or a script: nothing shows.
    open_mpi, ///< Also what is made of it: IBM Spectrum MPI.
    mpich,    ///< And those with its interface: Intel MPI, MVAPICH, Cray's.
};

/// The shared libraries that a program's file names (DT_NEEDED), in its order; none if the file is
/// no ELF program of this machine's byte order, or is damaged.
[[nodiscard]] std::vector<std::string> needed_libraries(std::span<const char> file);

/// From the names of libraries: "libmpi.so.40".
[[nodiscard]] ProgramKind kind_of(const std::vector<std::string>& libraries);

} // namespace muster::launcher::submit
