#include "write/array_check.hpp"
#include "write/array_output.hpp"
#include "write/durable.hpp"
#include "write/names.hpp"
#include "write/part.hpp"

#include <muster/base/crc32c.hpp>
#include <muster/base/error.hpp>
#include <muster/data/array_file.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <utility>

namespace muster::data {
namespace {

namespace fs = std::filesystem;

fs::path shards_of(const fs::path& path) {
    return path.parent_path() / write::shards_folder(path.filename().string());
}

/// One file beside its place, and then in it.
class Writing {
public:
    explicit Writing(fs::path file)
        : file_(std::move(file)), part_(write::part_name(file_.string(), write::nonce())),
          output_(write::create_array_output(part_.path(), file_.string())) {}

    template <class Call>
    void use(const Call& call) {
        if (!is_usable_) {
            throw UsageError(
                fmt::format("'{}': its writer was finished, or has failed; begin with a new one",
                            file_.string()));
        }
        is_usable_ = false; // until it has gone well
        call(*output_);
        is_usable_ = true;
    }

    /// @return bytes of the file.
    std::uint64_t finish(std::vector<Attribute> attributes, bool may_replace) {
        attributes.push_back(
            {write::notes_checksum_name, std::int64_t{write::checksum_of(attributes)}});
        use([&](write::ArrayOutput& output) { output.close(attributes); });
        is_usable_ = false;
        const std::uint64_t bytes = fs::file_size(part_.path());
        write::put_in_place(part_.path(), file_, file_.string(), may_replace);
        part_.keep();
        return bytes;
    }

    [[nodiscard]] const fs::path& file() const { return file_; }

private:
    fs::path file_;
    write::Part part_; ///< Removed after the output has closed it.
    std::unique_ptr<write::ArrayOutput> output_;
    bool is_usable_ = true;
};

} // namespace

struct ArrayFileWriter::State {
    bool may_replace;
    std::vector<Attribute> attributes;
    Writing writing;
};

ArrayFileWriter::ArrayFileWriter(const fs::path& path, WriteOptions options) {
    write::check_place(path, options.replace);
    state_ = std::unique_ptr<State>(
        new State{options.replace, std::move(options.attributes), Writing(path)});
}

ArrayFileWriter::~ArrayFileWriter() = default;
ArrayFileWriter::ArrayFileWriter(ArrayFileWriter&&) noexcept = default;
ArrayFileWriter& ArrayFileWriter::operator=(ArrayFileWriter&&) noexcept = default;

void ArrayFileWriter::write(const ArrayInfo& info, std::span<const std::byte> values) {
    const std::string shown = state_->writing.file().string();
    write::writable(shown, info);
    write::fitting(shown, info, whole(info), values.size());
    state_->writing.use([&](write::ArrayOutput& output) { output.write(info, values); });
}

void ArrayFileWriter::stitch(std::span<const ArrayShard> shards) {
    const fs::path path = state_->writing.file();
    const fs::path folder = shards_of(path);
    for (const ArrayShard& shard : shards) {
        std::error_code error;
        const std::uint64_t bytes = fs::file_size(folder / shard.file, error);
        if (error || bytes != shard.file_bytes) {
            throw Error(fmt::format(
                "cannot stitch '{}': its shard '{}' {}; write it again",
                path.string(),
                (folder / shard.file).string(),
                error ? "is not there: " + error.message()
                      : fmt::format("has {} bytes, but {} were written", bytes, shard.file_bytes)));
        }
    }
    const auto arrays = write::stitched(path.string(), shards);
    state_->writing.use([&](write::ArrayOutput& output) {
        for (const write::StitchedArray& array : arrays) {
            if (array.slabs.empty()) { // HDF5 has no virtual dataset of nothing
                output.write(array.info, {});
                continue;
            }
            std::vector<write::ArraySource> sources;
            for (std::size_t i = 0; i < array.slabs.size(); ++i) {
                sources.push_back({folder.filename().string() + "/" + shards[array.shards[i]].file,
                                   array.slabs[i]});
            }
            output.stitch(array.info, sources);
        }
    });
}

void ArrayFileWriter::finish() {
    state_->writing.finish(std::move(state_->attributes), state_->may_replace);
}

struct ArrayShardWriter::State {
    Writing writing;
    std::vector<ArrayPiece> pieces;
};

ArrayShardWriter::ArrayShardWriter(const fs::path& path, std::uint32_t shard) {
    static_cast<void>(write::folder_of(path));
    const fs::path folder = shards_of(path);
    std::error_code error;
    fs::create_directory(folder, error);
    if (error) {
        throw Error(fmt::format("cannot make the folder '{}' for shards: {}; check permissions and "
                                "free space",
                                folder.string(),
                                error.message()));
    }
    state_ = std::unique_ptr<State>(
        new State{Writing(folder / write::to_text({1, shard, write::nonce()})), {}});
}

ArrayShardWriter::~ArrayShardWriter() = default;
ArrayShardWriter::ArrayShardWriter(ArrayShardWriter&&) noexcept = default;
ArrayShardWriter& ArrayShardWriter::operator=(ArrayShardWriter&&) noexcept = default;

void ArrayShardWriter::write(const ArrayInfo& info,
                             const Slab& slab,
                             std::span<const std::byte> values) {
    const std::string shown = state_->writing.file().string();
    write::writable(shown, info);
    write::fitting(shown, info, slab, values.size());
    if (slab.elements() > 0) {
        state_->writing.use([&](write::ArrayOutput& output) {
            output.write({info.name, info.type, slab.count}, values);
        });
    }
    state_->pieces.push_back({info, slab}); // also an empty one: it says what the array is
}

ArrayShard ArrayShardWriter::finish() {
    const std::uint64_t bytes = state_->writing.finish({}, /*may_replace=*/false);
    return {state_->writing.file().filename().string(), bytes, state_->pieces};
}

struct ArrayFile::State {
    std::string path;
    std::unique_ptr<write::ArrayInput> input;
    std::vector<ArrayInfo> infos;
    std::vector<Attribute> attributes;                                ///< Without ours.
    std::mutex mutex;                                                 ///< Guards what follows.
    std::map<std::string, std::shared_ptr<write::ArrayInput>> shards; ///< Open, by relative name.
    std::set<std::pair<std::string, std::string>> verified;           ///< (shard or nothing, array)

    [[nodiscard]] const write::StoredArray& stored(std::string_view name) const {
        const auto& all = input->arrays();
        const auto found = std::ranges::find(all, name, [](const write::StoredArray& array) {
            return std::string_view(array.info.name);
        });
        if (found == all.end()) {
            std::vector<std::string> names;
            for (const ArrayInfo& info : infos) {
                names.push_back(info.name);
            }
            throw Error(
                fmt::format("'{}' has no array '{}'; it has: {}",
                            path,
                            name,
                            names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
        }
        return *found;
    }

    std::shared_ptr<write::ArrayInput> shard(const std::string& file, const std::string& array) {
        const std::lock_guard lock(mutex);
        auto& open = shards[file];
        if (!open) {
            const fs::path full = fs::path(path).parent_path() / file;
            if (!fs::exists(full)) {
                throw Error(
                    fmt::format("cannot read array '{}' of '{}': a piece of it was in '{}', "
                                "which is not there any more; take another file",
                                array,
                                path,
                                full.string()));
            }
            open = write::open_array_input(full);
        }
        return open;
    }

    [[nodiscard]] bool is_verified(const std::string& file, const std::string& array) {
        const std::lock_guard lock(mutex);
        return verified.contains({file, array});
    }

    void compare(const std::string& file, const write::StoredArray& piece, std::uint32_t crc) {
        if (piece.checksum && *piece.checksum != crc) {
            throw Error(fmt::format(
                "array '{}' of '{}' is damaged{}: its checksum is {:08x}, and {:08x} was written; "
                "take another file",
                piece.info.name,
                path,
                file.empty() ? std::string() : fmt::format(" (its piece in '{}')", file),
                crc,
                *piece.checksum));
        }
        const std::lock_guard lock(mutex);
        verified.insert({file, piece.info.name});
    }

    /// Reads all of a piece, 16 MiB at a time, and compares.
    void verify(const std::string& file,
                const write::ArrayInput& from,
                const write::StoredArray& piece) {
        const ArrayInfo& info = piece.info;
        std::uint32_t crc = 0;
        if (info.elements() > 0) {
            const std::uint64_t row_bytes = info.size_bytes() / info.shape.front();
            const std::uint64_t rows =
                std::max<std::uint64_t>((std::uint64_t{16} << 20U) / row_bytes, 1);
            std::vector<std::byte> buffer(std::min(rows, info.shape.front()) * row_bytes);
            Slab slab = whole(info);
            const std::vector<std::uint64_t> origin(info.shape.size(), 0);
            for (std::uint64_t row = 0; row < info.shape.front(); row += rows) {
                slab.start.front() = row;
                slab.count.front() = std::min(rows, info.shape.front() - row);
                from.read(info, slab, slab.count, origin, buffer.data());
                crc = crc32c(std::span(buffer).first(slab.count.front() * row_bytes), crc);
            }
        }
        compare(file, piece, crc);
    }

    /// Reads what `slab` has of a piece that lies at `place` in the array.
    void read_piece(const std::string& file,
                    const write::ArrayInput& from,
                    const write::StoredArray& piece,
                    const Slab& place,
                    const Slab& slab,
                    std::span<std::byte> out) {
        Slab shared = intersection(place, slab);
        if (shared.elements() == 0) {
            return;
        }
        const bool is_all = place == slab; // what is read is what has the checksum
        if (!is_all && !is_verified(file, piece.info.name)) {
            verify(file, from, piece);
        }
        std::vector<std::uint64_t> memory_start = shared.start;
        for (std::size_t axis = 0; axis < memory_start.size(); ++axis) {
            memory_start[axis] -= slab.start[axis];
            shared.start[axis] -= place.start[axis];
        }
        from.read(piece.info, shared, slab.count, memory_start, out.data());
        if (is_all) {
            compare(file, piece, crc32c(out));
        }
    }

    /// Calls `visit(file, input, piece, place)` for each piece of an array.
    template <class Visit>
    void for_each_piece(const write::StoredArray& array, const Visit& visit) {
        if (!array.is_virtual) {
            visit(std::string(), *input, array, whole(array.info));
            return;
        }
        for (const write::ArraySource& source : array.sources) {
            const auto from = shard(source.file, array.info.name);
            const auto& pieces = from->arrays();
            const auto piece =
                std::ranges::find(pieces, array.info.name, [](const write::StoredArray& each) {
                    return each.info.name;
                });
            if (piece == pieces.end() || piece->info.type != array.info.type ||
                piece->info.shape != source.slab.count) {
                throw Error(fmt::format("cannot read array '{}' of '{}': '{}' does not have the "
                                        "piece of it; take another file",
                                        array.info.name,
                                        path,
                                        source.file));
            }
            visit(source.file, *from, *piece, source.slab);
        }
    }
};

ArrayFile ArrayFile::open(const fs::path& path) {
    auto state = std::make_shared<State>();
    state->path = path.string();
    state->input = write::open_array_input(path);
    for (const write::StoredArray& array : state->input->arrays()) {
        state->infos.push_back(array.info);
    }
    for (const Attribute& note : state->input->attributes()) {
        if (note.name != write::notes_checksum_name) {
            state->attributes.push_back(note);
            continue;
        }
        const auto* const written = std::get_if<std::int64_t>(&note.value);
        if (written == nullptr || *written != write::checksum_of(state->input->attributes())) {
            throw Error(fmt::format("the notes of '{}' are damaged: they do not have the checksum "
                                    "that was written; take another file",
                                    path.string()));
        }
    }
    return ArrayFile(std::move(state));
}

const std::string& ArrayFile::path() const {
    return state_->path;
}

const std::vector<ArrayInfo>& ArrayFile::arrays() const {
    return state_->infos;
}

const std::vector<Attribute>& ArrayFile::attributes() const {
    return state_->attributes;
}

bool ArrayFile::has(std::string_view name) const {
    return std::ranges::any_of(state_->infos,
                               [&](const ArrayInfo& info) { return info.name == name; });
}

const ArrayInfo& ArrayFile::array(std::string_view name) const {
    return state_->stored(name).info;
}

void ArrayFile::read_bytes(std::string_view name,
                           const Slab& slab,
                           ElementType as,
                           std::span<std::byte> out) const {
    const write::StoredArray& array = state_->stored(name);
    if (array.info.type != as) {
        throw UsageError(fmt::format("array '{}' of '{}' is of {}, and is not read as {}",
                                     name,
                                     state_->path,
                                     to_string(array.info.type),
                                     to_string(as)));
    }
    write::fitting(state_->path, array.info, slab, out.size());
    if (slab.elements() == 0) {
        return;
    }
    if (array.is_virtual) {
        std::uint64_t found = 0;
        for (const write::ArraySource& source : array.sources) {
            found += intersection(source.slab, slab).elements();
        }
        if (found != slab.elements()) {
            throw Error(fmt::format("array '{}' of '{}' has gaps: no piece has some of its values; "
                                    "take another file",
                                    name,
                                    state_->path));
        }
    }
    state_->for_each_piece(
        array,
        [&](const std::string& file,
            const write::ArrayInput& from,
            const write::StoredArray& piece,
            const Slab& place) { state_->read_piece(file, from, piece, place, slab, out); });
}

void ArrayFile::verify() const {
    for (const write::StoredArray& array : state_->input->arrays()) {
        state_->for_each_piece(array,
                               [&](const std::string& file,
                                   const write::ArrayInput& from,
                                   const write::StoredArray& piece,
                                   const Slab&) { state_->verify(file, from, piece); });
    }
}

void remove_array_file(const fs::path& path) {
    const auto refuse = [&](const std::error_code& error) {
        if (error) {
            throw Error(fmt::format("cannot remove '{}': {}", path.string(), error.message()));
        }
    };
    std::error_code error;
    fs::remove(path, error);
    refuse(error);
    fs::remove_all(shards_of(path), error);
    refuse(error);
}

} // namespace muster::data
