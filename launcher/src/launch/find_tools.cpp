#include "launch/elf.hpp"
#include "process/unique_fd.hpp"
#include "run/machine.hpp"
#include "tool/tool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <system_error>

namespace muster::launcher::launch {
namespace {

namespace fs = std::filesystem;

constexpr auto tool_patience = std::chrono::seconds(10);

bool is_program(const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error) && ::access(path.c_str(), X_OK) == 0;
}

/// A file's bytes, without reading what is not looked at.
class MappedFile {
public:
    explicit MappedFile(const std::string& path) {
        const process::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));

        struct stat status {};

        if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
            status.st_size == 0) {
            return;
        }
        const auto size = static_cast<std::size_t>(status.st_size);
        void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
        if (start != MAP_FAILED) {
            bytes_ = {static_cast<const char*>(start), size};
        }
    }

    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    ~MappedFile() {
        if (!bytes_.empty()) {
            ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
        }
    }

    [[nodiscard]] std::string_view bytes() const { return bytes_; }

private:
    std::string_view bytes_;
};

std::optional<ElfFacts> facts_of(const std::string& path) {
    const MappedFile file(path);
    return read_elf(file.bytes());
}

void take_over(const ElfFacts& facts, ProgramKind& kind) {
    kind.is_muster = kind.is_muster || facts.is_muster;
    for (const std::string& name : facts.needed) {
        if (kind.library == MpiLibrary::none) {
            kind.library = mpi_library_of(name);
        }
    }
}

std::vector<std::string>
search_path(const ElfFacts& facts, const fs::path& program, const slurm::Environment& environment) {
    std::vector<std::string> folders;
    for (std::string folder : facts.search) {
        for (const std::string_view name : {"${ORIGIN}", "$ORIGIN"}) {
            if (const auto at = folder.find(name); at != std::string::npos) {
                folder.replace(at, name.size(), program.parent_path().string());
            }
        }
        folders.push_back(folder);
    }
    std::istringstream library_path{std::string(environment.get_or_empty("LD_LIBRARY_PATH"))};
    for (std::string folder; std::getline(library_path, folder, ':');) {
        folders.push_back(folder);
    }
    folders.insert(folders.end(),
                   {"/lib/x86_64-linux-gnu",
                    "/usr/lib/x86_64-linux-gnu",
                    "/lib/aarch64-linux-gnu",
                    "/usr/lib/aarch64-linux-gnu",
                    "/lib64",
                    "/usr/lib64",
                    "/usr/local/lib",
                    "/usr/lib"});
    return folders;
}

/// By the name that the file really has: "orterun", "mpiexec.hydra"; asked only where that is not
/// telling.
MpiLauncher identify(const std::string& path) {
    MpiLauncher launcher{path, MpiLibrary::none, 0};
    std::error_code error;
    const std::string name = fs::canonical(path, error).filename().string();
    if (name == "orterun") {
        launcher.library = MpiLibrary::open_mpi;
        launcher.major_version = 4;
        return launcher;
    }
    if (name.find("hydra") != std::string::npos) {
        launcher.library = MpiLibrary::mpich;
        return launcher;
    }
    const auto answer = ask_tool({path, "--version"}, {.patience = tool_patience});
    const std::string text = answer ? answer->out : std::string();
    if (text.find("Open MPI") != std::string::npos || text.find("OpenRTE") != std::string::npos) {
        launcher.library = MpiLibrary::open_mpi;
        const auto digit = text.find_first_of("0123456789");
        launcher.major_version = digit == std::string::npos ? 0 : text[digit] - '0';
    } else if (text.find("HYDRA") != std::string::npos || text.find("MPICH") != std::string::npos ||
               text.find("Intel") != std::string::npos) {
        launcher.library = MpiLibrary::mpich;
    }
    return launcher;
}

} // namespace

std::vector<std::string> srun_mpi_types(const std::string& srun) {
    const auto answer = ask_tool({srun, "--mpi=list"}, {.patience = tool_patience});
    return answer && answer->code == 0 ? parse_mpi_types(answer->out + answer->err)
                                       : std::vector<std::string>{};
}

std::string find_program(std::string_view name, const slurm::Environment& environment) {
    if (name.find('/') != std::string_view::npos) {
        return is_program(name) ? std::string(name) : std::string();
    }
    std::istringstream folders{std::string(environment.find("PATH").value_or("/usr/bin:/bin"))};
    for (std::string folder; std::getline(folders, folder, ':');) {
        const fs::path path = fs::path(folder.empty() ? "." : folder) / name;
        if (!name.empty() && is_program(path)) {
            return path.string();
        }
    }
    return {};
}

ProgramKind inspect_program(const std::string& program, const slurm::Environment& environment) {
    ProgramKind kind;
    kind.path = find_program(program, environment);
    const auto facts = facts_of(kind.path);
    if (!facts) {
        return kind;
    }
    take_over(*facts, kind);
    const auto folders = search_path(*facts, kind.path, environment);
    for (const std::string& name : facts->needed) {
        if (kind.library != MpiLibrary::none && kind.is_muster) {
            break;
        }
        // The C and C++ run-time libraries need nothing that is looked for.
        if (name.starts_with("libc.") || name.starts_with("libstdc++") ||
            name.starts_with("libm.") || name.starts_with("libgcc_s") ||
            name.starts_with("ld-linux")) {
            continue;
        }
        for (const std::string& folder : folders) {
            if (const auto library = facts_of((fs::path(folder) / name).string())) {
                take_over(*library, kind);
                break;
            }
        }
    }
    return kind;
}

Tools find_tools(const slurm::Environment& environment) {
    Tools tools;
    tools.is_root = ::geteuid() == 0;
    tools.host = run::host_name();
    for (const std::string_view name : {"mpirun", "mpiexec"}) {
        if (const std::string path = find_program(name, environment); !path.empty()) {
            tools.mpirun = identify(path);
            break;
        }
    }
    tools.srun = find_program("srun", environment);
    if (!tools.srun.empty() && is_in_allocation(environment)) {
        tools.srun_mpi_types = srun_mpi_types(tools.srun);
    }
    std::error_code error;
    const fs::path self = fs::read_symlink("/proc/self/exe", error);
    if (!error) {
        tools.own_library = inspect_program(self.string(), environment).library;
        const fs::path helper = self.parent_path() / "muster-rank";
        if (is_program(helper)) {
            tools.rank_helper = helper.string();
        }
    }
    return tools;
}

} // namespace muster::launcher::launch
