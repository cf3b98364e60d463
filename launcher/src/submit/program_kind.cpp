#include "submit/program_kind.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace muster::launcher::submit {
namespace {

/// Reads structures out of a file's bytes, wherever they claim to be.
class Reader {
public:
    explicit Reader(std::span<const char> bytes) : bytes_(bytes) {}

    template <class T>
    [[nodiscard]] std::optional<T> at(std::uint64_t offset) const {
        if (offset > bytes_.size() || sizeof(T) > bytes_.size() - offset) {
            return std::nullopt;
        }
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }

    [[nodiscard]] std::string text_at(std::uint64_t offset) const {
        if (offset >= bytes_.size()) {
            return {};
        }
        const auto from = bytes_.subspan(offset);
        return {from.begin(), std::ranges::find(from, '\0')};
    }

private:
    std::span<const char> bytes_;
};

constexpr std::uint64_t entries_max = 4096; // of a damaged file: more than any linker makes

struct Segments {
    std::vector<Elf64_Phdr> all;

    /// Where in the file the address is that a running program would have there.
    [[nodiscard]] std::optional<std::uint64_t> offset_of(std::uint64_t address) const {
        for (const Elf64_Phdr& one : all) {
            if (one.p_type == PT_LOAD && address >= one.p_vaddr &&
                address - one.p_vaddr < one.p_filesz) {
                return one.p_offset + (address - one.p_vaddr);
            }
        }
        return std::nullopt;
    }
};

Segments read_segments(const Reader& file, const Elf64_Ehdr& header) {
    Segments segments;
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(header.e_phnum, entries_max); ++i) {
        if (const auto one = file.at<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr))) {
            segments.all.push_back(*one);
        }
    }
    return segments;
}

std::vector<std::string>
names_in(const Reader& file, const Segments& segments, const Elf64_Phdr& dynamic) {
    std::vector<std::uint64_t> needed;
    std::optional<std::uint64_t> strings;
    for (std::uint64_t i = 0; i < std::min(dynamic.p_filesz / sizeof(Elf64_Dyn), entries_max);
         ++i) {
        const auto entry = file.at<Elf64_Dyn>(dynamic.p_offset + i * sizeof(Elf64_Dyn));
        if (!entry || entry->d_tag == DT_NULL) {
            break;
        }
        if (entry->d_tag == DT_NEEDED) {
            needed.push_back(entry->d_un.d_val);
        } else if (entry->d_tag == DT_STRTAB) {
            strings = segments.offset_of(entry->d_un.d_ptr);
        }
    }
    std::vector<std::string> names;
    for (const std::uint64_t offset : needed) {
        if (strings) {
            names.push_back(file.text_at(*strings + offset));
        }
    }
    return names;
}

} // namespace

std::vector<std::string> needed_libraries(std::span<const char> bytes) {
    const Reader file(bytes);
    const auto header = file.at<Elf64_Ehdr>(0);
    constexpr auto own_order =
        std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != own_order ||
        header->e_phentsize != sizeof(Elf64_Phdr)) {
        return {};
    }
    const Segments segments = read_segments(file, *header);
    const auto dynamic = std::ranges::find(segments.all, PT_DYNAMIC, &Elf64_Phdr::p_type);
    return dynamic == segments.all.end() ? std::vector<std::string>{}
                                         : names_in(file, segments, *dynamic);
}

ProgramKind kind_of(const std::vector<std::string>& libraries) {
    for (const std::string& name : libraries) {
        // Open MPI counts its library's interface from 0 to 40 and on; MPICH's is 12, whatever it
        // is called: libmpi.so.12, libmpich.so.12, libmpi_gnu_91.so.12.
        if (name.starts_with("libmpi.so.12") || name.starts_with("libmpich") ||
            (name.starts_with("libmpi_") && name.ends_with(".so.12"))) {
            return ProgramKind::mpich;
        }
        if (name.starts_with("libmpi.so") || name.starts_with("libmpi_ibm.so")) {
            return ProgramKind::open_mpi;
        }
    }
    return ProgramKind::other;
}

} // namespace muster::launcher::submit
