#pragma once

#include "process/unique_fd.hpp"
#include "registry/registry.hpp"

namespace muster::runtime::isolate {

/// A hosted process's whole life: runs what its rank orders until the other end of the socket is
/// closed, and ends the process. To be called with one thread and default signal handling.
///
/// SIGTERM asks what runs to stop, by its stop token.
[[noreturn]] void serve(const FunctionTable& functions, process::UniqueFd socket);

} // namespace muster::runtime::isolate
