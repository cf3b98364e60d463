#pragma once

#include "resources/system_files.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace muster::resources {

/// For each GPU, named as CUDA_VISIBLE_DEVICES does, the CPUs close to it; none where the kernel
/// does not say. An index counts GPUs by PCI address, as CUDA does where they are alike.
std::vector<std::vector<int>> cpus_near(const std::vector<std::string>& gpus,
                                        const SystemFiles& files);

/// "0-3,8": as the kernel lists CPUs. What cannot be read is left out.
std::vector<int> parse_cpu_list(std::string_view text);

} // namespace muster::resources
