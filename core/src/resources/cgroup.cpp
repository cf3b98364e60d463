#include "resources/cgroup.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>
#include <vector>

namespace muster::resources {
namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const auto end = text.find(separator);
        parts.push_back(text.substr(0, end));
        if (end == std::string_view::npos) {
            return parts;
        }
        text.remove_prefix(end + 1);
    }
}

bool has_word(std::string_view list, std::string_view word) {
    const auto words = split(list, ',');
    return std::ranges::find(words, word) != words.end();
}

template <class I>
std::optional<I> number(std::string_view text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
        text.remove_suffix(1);
    }
    I value{};
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && stop == text.data() + text.size() ? std::optional(value)
                                                                     : std::nullopt;
}

template <class T>
void tighten(std::optional<T>& limit, const std::optional<T>& other) {
    if (other && (!limit || *other < *limit)) {
        limit = other;
    }
}

/// mountinfo writes a blank as \040, a tab as \011, a newline as \012, a backslash as \134.
std::string unescaped(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\\' && i + 3 < text.size()) {
            int code = 0;
            std::from_chars(text.data() + i + 1, text.data() + i + 4, code, 8);
            result.push_back(static_cast<char>(code));
            i += 3;
        } else {
            result.push_back(text[i]);
        }
    }
    return result;
}

struct Mount {
    std::string root;  ///< Which cgroup is mounted.
    std::string point; ///< Where.
};

/// The mount of a version 1 controller, or of version 2 if `controller` is empty.
///
/// A line: "31 23 0:28 ROOT POINT OPTIONS [TAGS…] - TYPE SOURCE SUPER_OPTIONS".
/// Source: Linux, Documentation/filesystems/proc.rst, section 3.5.
std::optional<Mount> find_mount(std::string_view mountinfo, std::string_view controller) {
    for (const std::string_view line : split(mountinfo, '\n')) {
        const auto middle = line.find(" - ");
        if (middle == std::string_view::npos) {
            continue;
        }
        const auto before = split(line.substr(0, middle), ' ');
        const auto after = split(line.substr(middle + 3), ' ');
        if (before.size() < 5 || after.size() < 3) {
            continue;
        }
        const bool wanted = controller.empty()
                                ? after[0] == "cgroup2"
                                : after[0] == "cgroup" && has_word(after[2], controller);
        if (wanted) {
            return Mount{unescaped(before[3]), unescaped(before[4])};
        }
    }
    return std::nullopt;
}

/// The process's path in a hierarchy. A line: "4:memory:/job_7/step_0", "0::/…" for version 2.
std::optional<std::string> find_path(std::string_view proc_cgroup, std::string_view controller) {
    for (const std::string_view line : split(proc_cgroup, '\n')) {
        const auto first = line.find(':');
        const auto second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) {
            continue;
        }
        const std::string_view names = line.substr(first + 1, second - first - 1);
        if (controller.empty() ? names.empty() : has_word(names, controller)) {
            return std::string(line.substr(second + 1));
        }
    }
    return std::nullopt;
}

/// Directories of the process's cgroup and its ancestors, as far up as they are mounted.
std::vector<std::string> directories(const Mount& mount, std::string path) {
    const std::string root = mount.root == "/" ? "" : mount.root;
    if (path.starts_with("/..")) {
        path.clear(); // in a cgroup namespace, and moved out of its root
    } else if (path == root || path.starts_with(root + "/")) {
        path.erase(0, root.size());
    } else {
        path.clear();
    }
    std::vector<std::string> all;
    while (path.size() > 1) {
        all.push_back(mount.point + path);
        path.erase(path.rfind('/'));
    }
    all.push_back(mount.point);
    return all;
}

std::optional<Amount> quota_of(std::int64_t quota, std::int64_t period) {
    if (quota <= 0 || period <= 0 || quota > INT64_MAX / Amount::units_per_one) {
        return std::nullopt;
    }
    return Amount::from_units(quota * Amount::units_per_one / period);
}

/// "max 100000" or "150000 100000", in microseconds.
std::optional<Amount> parse_cpu_max(const std::optional<std::string>& text) {
    const auto parts = split(text ? std::string_view(*text) : std::string_view{}, ' ');
    if (parts.size() != 2) {
        return std::nullopt;
    }
    return quota_of(number<std::int64_t>(parts[0]).value_or(0),
                    number<std::int64_t>(parts[1]).value_or(0));
}

std::optional<Bytes> parse_memory(const std::optional<std::string>& text) {
    // Version 1 says "no limit" with the largest multiple of the page size, version 2 with "max".
    constexpr std::uint64_t no_limit = std::uint64_t{1} << 60;
    const auto value = text ? number<std::uint64_t>(*text) : std::nullopt;
    return value && *value < no_limit ? std::optional(Bytes{*value}) : std::nullopt;
}

} // namespace

CgroupLimits read_cgroup_limits(const SystemFiles& files) {
    const std::string proc_cgroup = files.read("/proc/self/cgroup").value_or("");
    const std::string mountinfo = files.read("/proc/self/mountinfo").value_or("");
    const auto for_each_directory = [&](std::string_view controller, const auto& visit) {
        const auto mount = find_mount(mountinfo, controller);
        const auto path = find_path(proc_cgroup, controller);
        if (mount && path) {
            for (const std::string& directory : directories(*mount, *path)) {
                visit(directory);
            }
        }
    };

    CgroupLimits limits;
    for_each_directory("", [&](const std::string& directory) {
        tighten(limits.cpu_quota, parse_cpu_max(files.read(directory + "/cpu.max")));
        tighten(limits.memory, parse_memory(files.read(directory + "/memory.max")));
    });
    for_each_directory("cpu", [&](const std::string& directory) {
        const auto value = [&](const char* name) {
            const auto text = files.read(directory + name);
            return text ? number<std::int64_t>(*text).value_or(0) : 0;
        };
        tighten(limits.cpu_quota,
                quota_of(value("/cpu.cfs_quota_us"), value("/cpu.cfs_period_us")));
    });
    for_each_directory("memory", [&](const std::string& directory) {
        tighten(limits.memory, parse_memory(files.read(directory + "/memory.limit_in_bytes")));
    });
    return limits;
}

} // namespace muster::resources
