#pragma once

#include <muster/train/backend.hpp>

#include <memory>

namespace muster::test {

/// Carries out calls on CPU memory through a back end of the GPU's: copies there, and back when an
/// event is awaited. `under` is borrowed.
[[nodiscard]] std::unique_ptr<train::Backend> on_device(train::Backend& under);

/// GPUs that this process sees.
[[nodiscard]] int device_count();

} // namespace muster::test
