#include "write/check.hpp"
#include "write/durable.hpp"
#include "write/names.hpp"
#include "write/part.hpp"
#include "write/table_sink.hpp"

#include <muster/base/error.hpp>
#include <muster/data/writer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <system_error>

namespace muster::data {
namespace {

namespace fs = std::filesystem;

/// What both writers do: one file beside its place, and then in it.
class Writing {
public:
    Writing(const fs::path& file,
            std::string shown,
            std::vector<NewColumn> columns,
            const std::vector<Attribute>& attributes)
        : shown_(std::move(shown)), columns_(std::move(columns)),
          part_(write::part_name(file.string(), write::nonce())),
          sink_(write::create_sink(part_.path(), shown_, columns_, attributes)) {}

    void append(std::span<const ColumnBlock> blocks) {
        require_usable();
        const auto order = write::fitting(shown_, columns_, blocks);
        std::vector<ColumnBlock> ordered;
        for (const std::size_t i : order) {
            ordered.push_back(blocks[i]);
        }
        const std::uint64_t rows = write::rows_of(columns_.front(), ordered.front());
        is_usable_ = false; // until it has gone well
        sink_->append(ordered, rows);
        is_usable_ = true;
        rows_ += rows;
    }

    /// @return the bytes of the file.
    std::uint64_t finish(const fs::path& file, bool may_replace) {
        require_usable();
        is_usable_ = false;
        sink_->close();
        const std::uint64_t bytes = fs::file_size(part_.path());
        write::put_in_place(part_.path(), file, shown_, may_replace);
        part_.keep();
        return bytes;
    }

    [[nodiscard]] std::uint64_t rows() const { return rows_; }

    [[nodiscard]] const std::vector<NewColumn>& columns() const { return columns_; }

private:
    void require_usable() const {
        if (!is_usable_) {
            throw UsageError(fmt::format("'{}': its writer was finished, or has failed; begin with "
                                         "a new one",
                                         shown_));
        }
    }

    std::string shown_;
    std::vector<NewColumn> columns_;
    write::Part part_; ///< Removed after the sink has closed it.
    std::unique_ptr<write::TableSink> sink_;
    std::uint64_t rows_ = 0;
    bool is_usable_ = true;
};

fs::path shards_of(const fs::path& table) {
    return table.parent_path() / write::shards_folder(table.filename().string());
}

/// Files in the folder of shards and parts of the table itself, and what each of them is.
std::vector<Leftover> find_leftovers(const fs::path& table, const write::Stitched& stitched) {
    const std::set<std::string> named(stitched.sources.begin(), stitched.sources.end());
    const std::string folder = write::shards_folder(table.filename().string());
    std::vector<Leftover> found;
    const auto add = [&](const fs::path& path, std::string_view what) {
        found.push_back({path.string(), std::string(what)});
    };
    std::error_code error;
    for (fs::directory_iterator at(shards_of(table), error), end; !error && at != end;
         at.increment(error)) {
        const std::string name = at->path().filename().string();
        const bool is_named = named.contains(folder + "/" + name);
        switch (write::standing_of(name, stitched.generation, is_named)) {
        case write::Standing::part:
            add(at->path(), "not finished: its writer was interrupted, or is still at work");
            break;
        case write::Standing::stray:
            add(at->path(), "of an attempt that was not committed");
            break;
        case write::Standing::outdated:
            add(at->path(), "of a version before the previous one");
            break;
        case write::Standing::needed:
        case write::Standing::foreign:
            break;
        }
    }
    const fs::path beside = table.has_parent_path() ? table.parent_path() : fs::path(".");
    for (fs::directory_iterator at(beside, error), end; !error && at != end; at.increment(error)) {
        if (write::file_of_part(at->path().filename().string()) == table.filename().string()) {
            add(at->path(), "not finished: its writer was interrupted, or is still at work");
        }
    }
    std::ranges::sort(found, {}, &Leftover::file);
    return found;
}

} // namespace

struct FileWriter::State {
    fs::path path;
    bool may_replace;
    Writing writing;
};

FileWriter::FileWriter(const fs::path& path, std::vector<NewColumn> columns, WriteOptions options) {
    write::declarable(path.string(), columns);
    write::check_place(path, options.replace);
    state_ = std::unique_ptr<State>(
        new State{path,
                  options.replace,
                  Writing(path, path.string(), std::move(columns), options.attributes)});
}

FileWriter::~FileWriter() = default;
FileWriter::FileWriter(FileWriter&&) noexcept = default;
FileWriter& FileWriter::operator=(FileWriter&&) noexcept = default;

void FileWriter::append(std::span<const ColumnBlock> blocks) {
    state_->writing.append(blocks);
}

std::uint64_t FileWriter::rows() const {
    return state_->writing.rows();
}

void FileWriter::finish() {
    state_->writing.finish(state_->path, state_->may_replace);
}

struct ShardWriter::State {
    std::uint32_t shard;
    std::uint64_t generation;
    fs::path file;
    Writing writing;
};

ShardWriter::ShardWriter(const fs::path& path,
                         std::uint32_t shard,
                         std::vector<NewColumn> columns,
                         WriteOptions options) {
    write::declarable(path.string(), columns);
    write::check_place(path, options.replace);
    const fs::path folder = shards_of(path);
    std::error_code error;
    fs::create_directory(folder, error);
    if (error) {
        throw Error(fmt::format("cannot make the folder '{}' for shards: {}; check permissions and "
                                "free space",
                                folder.string(),
                                error.message()));
    }
    const std::uint64_t generation = write::read_generation(path) + 1;
    fs::path file = folder / write::to_text({generation, shard, write::nonce()});
    std::string shown = file.string();
    state_ = std::unique_ptr<State>(
        new State{shard,
                  generation,
                  file,
                  Writing(file, std::move(shown), std::move(columns), options.attributes)});
}

ShardWriter::~ShardWriter() = default;
ShardWriter::ShardWriter(ShardWriter&&) noexcept = default;
ShardWriter& ShardWriter::operator=(ShardWriter&&) noexcept = default;

void ShardWriter::append(std::span<const ColumnBlock> blocks) {
    state_->writing.append(blocks);
}

std::uint64_t ShardWriter::rows() const {
    return state_->writing.rows();
}

ShardSummary ShardWriter::finish() {
    const std::uint64_t bytes = state_->writing.finish(state_->file, /*may_replace=*/false);
    return {state_->shard,
            state_->file.filename().string(),
            state_->generation,
            state_->writing.rows(),
            bytes,
            state_->writing.columns()};
}

Committed commit(const fs::path& path, std::span<const ShardSummary> shards, WriteOptions options) {
    const std::string shown = path.string();
    write::check_place(path, options.replace);
    const auto ordered = write::in_order(shown, write::read_generation(path), shards);
    const std::string folder = write::shards_folder(path.filename().string());
    Committed committed{ordered.front().generation, 0, {}};
    std::vector<write::Source> sources;
    for (const ShardSummary& shard : ordered) {
        const fs::path file = shards_of(path) / shard.file;
        std::error_code error;
        const std::uint64_t bytes = fs::file_size(file, error);
        if (error || bytes != shard.file_bytes) {
            throw Error(fmt::format(
                "cannot commit '{}': its shard '{}' {}; write it again",
                shown,
                file.string(),
                error ? "is not there: " + error.message()
                      : fmt::format("has {} bytes, but {} were written", bytes, shard.file_bytes)));
        }
        sources.push_back({folder + "/" + shard.file, shard.rows});
        committed.rows += shard.rows;
    }
    write::sync(shards_of(path), shards_of(path).string());
    write::Part part(write::part_name(shown, write::nonce()));
    write::create_stitched(part.path(),
                           shown,
                           ordered.front().columns,
                           sources,
                           committed.generation,
                           options.attributes);
    write::put_in_place(part.path(), path, shown, options.replace);
    part.keep();
    write::Stitched now{committed.generation, {}};
    for (const write::Source& source : sources) {
        if (source.rows > 0) {
            now.sources.push_back(source.file);
        } else { // the table does not refer to it
            std::error_code ignored;
            fs::remove(path.parent_path() / source.file, ignored);
        }
    }
    for (const Leftover& leftover : find_leftovers(path, now)) {
        std::error_code error;
        if (fs::remove(leftover.file, error)) {
            committed.removed.push_back(leftover.file);
        }
    }
    return committed;
}

std::vector<Leftover> leftovers(const fs::path& path) {
    return find_leftovers(path, write::read_stitched(path));
}

} // namespace muster::data
