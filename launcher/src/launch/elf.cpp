#include "launch/elf.hpp"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace muster::launcher::launch {
namespace {

/// Reads of a damaged file yield nothing rather than what lies beside it.
class Bytes {
public:
    explicit Bytes(std::string_view bytes) : bytes_(bytes) {}

    template <class T>
    [[nodiscard]] std::optional<T> at(std::uint64_t offset) const {
        if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) {
            return std::nullopt;
        }
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }

    [[nodiscard]] std::string_view text_at(std::uint64_t offset) const {
        if (offset >= bytes_.size()) {
            return {};
        }
        const auto rest = bytes_.substr(offset);
        const auto end = rest.find('\0');
        return end == std::string_view::npos ? std::string_view{} : rest.substr(0, end);
    }

    [[nodiscard]] std::string_view piece(std::uint64_t offset, std::uint64_t size) const {
        if (offset > bytes_.size()) {
            return {};
        }
        return bytes_.substr(offset, size);
    }

private:
    std::string_view bytes_;
};

/// In the file, of an address in memory.
std::optional<std::uint64_t> offset_of(std::uint64_t address,
                                       const std::vector<Elf64_Phdr>& segments) {
    for (const Elf64_Phdr& segment : segments) {
        if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
            address - segment.p_vaddr < segment.p_filesz) {
            return address - segment.p_vaddr + segment.p_offset;
        }
    }
    return std::nullopt;
}

std::vector<std::string> split_path(std::string_view text) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto colon = text.find(':');
        if (colon != 0) {
            parts.emplace_back(text.substr(0, colon));
        }
        text = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
    }
    return parts;
}

void read_dynamic(const Bytes& file,
                  const Elf64_Phdr& section,
                  const std::vector<Elf64_Phdr>& segments,
                  ElfFacts& facts) {
    std::vector<Elf64_Dyn> entries;
    std::optional<std::uint64_t> strings;
    for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= section.p_filesz;
         at += sizeof(Elf64_Dyn)) {
        const auto entry = file.at<Elf64_Dyn>(section.p_offset + at);
        if (!entry || entry->d_tag == DT_NULL) {
            break;
        }
        if (entry->d_tag == DT_STRTAB) {
            strings = offset_of(entry->d_un.d_ptr, segments);
        }
        entries.push_back(*entry);
    }
    if (!strings) {
        return;
    }
    for (const Elf64_Dyn& entry : entries) {
        const auto text = file.text_at(*strings + entry.d_un.d_val);
        if (entry.d_tag == DT_NEEDED) {
            facts.needed.emplace_back(text);
        } else if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH) {
            facts.search = split_path(text);
        }
    }
}

bool has_muster_note(const Bytes& file, const Elf64_Phdr& section) {
    const auto align = [](std::uint64_t size) { return (size + 3) / 4 * 4; };
    for (std::uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= section.p_filesz;) {
        const auto note = file.at<Elf64_Nhdr>(section.p_offset + at);
        if (!note) {
            return false;
        }
        at += sizeof(Elf64_Nhdr);
        if (file.piece(section.p_offset + at, note->n_namesz) == std::string_view("Muster\0", 7)) {
            return true;
        }
        at += align(note->n_namesz) + align(note->n_descsz);
    }
    return false;
}

} // namespace

std::optional<ElfFacts> read_elf(std::string_view bytes) {
    const Bytes file(bytes);
    const auto header = file.at<Elf64_Ehdr>(0);
    if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
        header->e_phentsize != sizeof(Elf64_Phdr)) {
        return std::nullopt;
    }
    std::vector<Elf64_Phdr> segments;
    for (unsigned i = 0; i < header->e_phnum; ++i) {
        const auto segment = file.at<Elf64_Phdr>(header->e_phoff + i * sizeof(Elf64_Phdr));
        if (!segment) {
            return std::nullopt;
        }
        segments.push_back(*segment);
    }
    ElfFacts facts;
    for (const Elf64_Phdr& segment : segments) {
        if (segment.p_type == PT_DYNAMIC) {
            read_dynamic(file, segment, segments, facts);
        } else if (segment.p_type == PT_NOTE) {
            facts.is_muster = facts.is_muster || has_muster_note(file, segment);
        }
    }
    return facts;
}

MpiLibrary mpi_library_of(std::string_view name) {
    // Open MPI counts its library's interface from 0 to 40 and on; MPICH's is 12, whatever it is
    // called: libmpi.so.12, libmpich.so.12, libmpi_gnu_91.so.12.
    if (name.starts_with("libmpich") || name.starts_with("libmpi_cray.so") ||
        (name.starts_with("libmpi") && name.ends_with(".so.12"))) {
        return MpiLibrary::mpich;
    }
    if (name.starts_with("libmpi.so") || name.starts_with("libmpi_cxx.so") ||
        name.starts_with("libmpi_mpifh.so") || name.starts_with("libmpi_ibm.so") ||
        name.starts_with("libmpi_usempi")) {
        return MpiLibrary::open_mpi;
    }
    return MpiLibrary::none;
}

} // namespace muster::launcher::launch
