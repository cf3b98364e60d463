#pragma once

#include <muster/base/error.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the commands of a sweep write, of any number of commands in a few files: one of each rank
/// and run, "<run>-<rank>.out", with an index beside it, "<run>-<rank>.idx". Names of later runs
/// sort behind those of earlier ones.
///
/// The file is a row of chunks, in the order in which they were written, each with a header of 32
/// bytes that says whose it is; a command's last chunk says how it ended, and then the index has an
/// entry of 48 bytes for it. Numbers are little-endian. Files are only appended to: what a killed
/// process leaves is whole up to its last chunk, and the rest is passed over.
namespace muster::launcher::sweep {

/// Which command: its group and number, as `group << group_shift | number`.
using OutputId = std::uint64_t;
inline constexpr unsigned group_shift = 40;

[[nodiscard]] constexpr OutputId output_id(std::uint64_t group, std::uint64_t number) {
    return group << group_shift | number;
}

enum class Channel : std::uint8_t { out = 0, err = 1, end = 2 };

/// How one attempt at a command ended, and where its output lies.
struct Entry {
    OutputId id = 0;
    std::uint32_t attempt = 0;
    std::int32_t exit_code = 0;
    std::uint64_t begin = 0; ///< Of its chunks, in bytes; others' lie between them.
    std::uint64_t end = 0;
};

/// What commands write cannot be kept: there is no sense in running more of them.
class OutputError : public Error {
public:
    using Error::Error;
};

/// Appends to one file. Threads: any.
class OutputWriter {
public:
    /// @throws OutputError with the path.
    OutputWriter(const std::filesystem::path& folder, const std::string& name);
    OutputWriter(const OutputWriter&) = delete;
    OutputWriter& operator=(const OutputWriter&) = delete;
    ~OutputWriter();

    /// Where the next chunk will lie, or one behind it.
    [[nodiscard]] std::uint64_t position();

    /// @throws OutputError if it cannot be written; nothing of it is there then.
    void write(OutputId id, std::uint32_t attempt, Channel channel, std::string_view bytes);

    /// The last of an attempt. @param entry  Its `end` is filled in.
    void finish(Entry entry);

private:
    void append(int fd, std::string_view header, std::string_view bytes, std::uint64_t& size);

    std::mutex mutex_; ///< Guards all below.
    std::filesystem::path path_;
    int out_ = -1;
    int index_ = -1;
    std::uint64_t size_ = 0;
    std::uint64_t index_size_ = 0;
};

/// All output of a sweep, for those who look at it, also while it is written.
class OutputFolder {
public:
    /// @throws Error if it is not there.
    explicit OutputFolder(std::filesystem::path folder);

    /// An attempt that has ended, and the file that has it.
    struct Attempt {
        Entry entry;
        std::size_t file = 0;
    };

    /// Reads what has been added to the indexes. @return the attempts that ended since.
    std::vector<Attempt> refresh();

    /// Attempts by command: those of later runs, and of a run later ones, behind others.
    [[nodiscard]] const std::map<OutputId, std::vector<Attempt>>& attempts() const {
        return attempts_;
    }

    using Sink = std::function<void(Channel channel, std::string_view bytes)>;

    /// The output of an attempt that has ended.
    void read(const Attempt& attempt, const Sink& sink) const;

    struct Chunk {
        OutputId id = 0;
        std::uint32_t attempt = 0;
        Channel channel = Channel::out;
        std::string_view bytes; ///< Of `end`: the exit code, in decimal.
    };

    /// Everything in the files that was not given before, in each file's order: for following, and
    /// for commands that never ended.
    void read_new(const std::function<void(const Chunk&)>& sink);

private:
    struct File {
        std::filesystem::path path; ///< Without its extension.
        std::string run;            ///< What its name begins with.
        std::uint64_t index_read = 0;
        std::uint64_t read = 0;
    };

    void find_files();
    void place(const Attempt& attempt);

    std::filesystem::path folder_;
    std::vector<File> files_;
    std::map<OutputId, std::vector<Attempt>> attempts_;
};

} // namespace muster::launcher::sweep
