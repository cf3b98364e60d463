#include "resources/gpu_cpus.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <optional>

namespace muster::resources {
namespace {

const std::string driver_directory = "/proc/driver/nvidia/gpus";

std::optional<int> number(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end != text.data() ? std::optional(value) : std::nullopt;
}

/// PCI addresses of the node's GPUs, in order.
std::vector<std::string> addresses(const SystemFiles& files) {
    auto names = files.list(driver_directory);
    std::erase_if(names, [](const std::string& name) { return name.find('/') < name.size(); });
    std::ranges::sort(names);
    return names;
}

std::optional<std::string>
address_of(const std::string& gpu, const std::vector<std::string>& all, const SystemFiles& files) {
    if (gpu.starts_with("GPU-")) {
        const auto place = std::ranges::find_if(all, [&](const std::string& address) {
            return files.read(driver_directory + "/" + address + "/information")
                       .value_or("")
                       .find(gpu) != std::string::npos;
        });
        return place == all.end() ? std::nullopt : std::optional(*place);
    }
    const auto index = number(gpu);
    return index && *index >= 0 && static_cast<std::size_t>(*index) < all.size()
               ? std::optional(all[static_cast<std::size_t>(*index)])
               : std::nullopt;
}

} // namespace

std::vector<int> parse_cpu_list(std::string_view text) {
    std::vector<int> cpus;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const std::string_view part = text.substr(0, comma);
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
        const auto dash = part.find('-');
        const auto first = number(part.substr(0, dash));
        const auto last = dash == std::string_view::npos ? first : number(part.substr(dash + 1));
        constexpr int cpus_max = 1 << 16;
        for (int cpu = first.value_or(0); first && last && cpu <= std::min(*last, cpus_max);
             ++cpu) {
            cpus.push_back(cpu);
        }
    }
    return cpus;
}

std::vector<std::vector<int>> cpus_near(const std::vector<std::string>& gpus,
                                        const SystemFiles& files) {
    std::vector<std::vector<int>> near(gpus.size());
    if (gpus.empty()) {
        return near;
    }
    const auto all = addresses(files);
    for (std::size_t i = 0; i < gpus.size(); ++i) {
        if (const auto address = address_of(gpus[i], all, files)) {
            const auto list = files.read("/sys/bus/pci/devices/" + *address + "/local_cpulist");
            near[i] = parse_cpu_list(list.value_or(""));
        }
    }
    return near;
}

} // namespace muster::resources
