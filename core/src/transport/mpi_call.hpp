#pragma once

#include <muster/base/assert.hpp>
#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <mpi.h>

#include <array>
#include <cstddef>
#include <limits>
#include <string_view>

/// How MPI is called: its errors become exceptions here, and nowhere else.
namespace muster::transport {

// The one place where MPI's error codes become exceptions.
inline void check(int code, const char* call) {
    if (code == MPI_SUCCESS) {
        return;
    }
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    MPI_Error_string(code, text.data(), &length);
    int rank = -1;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    throw Error(fmt::format("rank {}: {} failed: {}",
                            rank,
                            call,
                            std::string_view(text.data(), static_cast<std::size_t>(length))));
}

inline int to_count(std::size_t bytes) {
    MUSTER_ASSERT(bytes <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
    return static_cast<int>(bytes);
}

inline MPI_Comm duplicate(MPI_Comm comm) {
    MPI_Comm copy = MPI_COMM_NULL;
    check(MPI_Comm_dup(comm, &copy), "MPI_Comm_dup");
    check(MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    return copy;
}

} // namespace muster::transport
