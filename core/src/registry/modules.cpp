#include "registry/modules.hpp"

#include <fmt/format.h>
#include <link.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace muster::registry {

namespace {

constexpr std::size_t round_up(std::size_t size, std::size_t alignment) {
    return (size + alignment - 1) / alignment * alignment;
}

/// The build id among the notes of one PT_NOTE segment; empty if it is not there.
///
/// Source: System V ABI, "Note Section"; .note.gnu.property has its notes aligned to 8, not 4.
std::string find_build_id(const char* notes, std::size_t size, std::size_t alignment) {
    std::size_t offset = 0;
    while (size - offset >= sizeof(ElfW(Nhdr))) {
        ElfW(Nhdr) header;
        std::memcpy(&header, notes + offset, sizeof(header));
        const std::size_t name = offset + sizeof(header);
        const std::size_t content = round_up(name + header.n_namesz, alignment);
        const std::size_t end = content + header.n_descsz;
        if (end > size) {
            break;
        }
        if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == sizeof("GNU") &&
            std::memcmp(notes + name, "GNU", sizeof("GNU")) == 0) {
            std::string text;
            for (std::size_t i = content; i < end; ++i) {
                text += fmt::format("{:02x}", static_cast<unsigned char>(notes[i]));
            }
            return text;
        }
        offset = std::min(round_up(end, alignment), size);
    }
    return {};
}

int add_module(dl_phdr_info* info, std::size_t, void* modules) {
    Module module;
    module.base = info->dlpi_addr;
    const std::string_view path = info->dlpi_name;
    module.name = path.empty() ? "program" : path.substr(path.rfind('/') + 1);
    for (std::size_t i = 0; i < info->dlpi_phnum; ++i) {
        const auto& header = info->dlpi_phdr[i];
        const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
        if (header.p_type == PT_LOAD) {
            module.segments.push_back({begin, begin + header.p_memsz});
        } else if (header.p_type == PT_NOTE && module.build_id.empty()) {
            module.build_id = find_build_id(
                reinterpret_cast<const char*>(begin), header.p_memsz, header.p_align == 8 ? 8 : 4);
        }
    }
    static_cast<std::vector<Module>*>(modules)->push_back(std::move(module));
    return 0;
}

} // namespace

bool Module::contains(std::uintptr_t address) const {
    return std::any_of(segments.begin(), segments.end(), [&](const Segment& segment) {
        return segment.begin <= address && address < segment.end;
    });
}

std::vector<Module> loaded_modules() {
    std::vector<Module> modules;
    dl_iterate_phdr(&add_module, &modules);
    return modules;
}

} // namespace muster::registry
