#include "write/table_sink.hpp"

#include "hdf5/attributes.hpp"
#include "hdf5/new_dataset.hpp"
#include "hdf5/steady_driver.hpp"
#include "hdf5/stored_type.hpp"
#include "write/check.hpp"
#include "write/durable.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>

namespace muster::data::write {
namespace {

using hdf5::checked;
using hdf5::Subject;

constexpr std::string_view write_advice = "write it again, to another disk if it comes again";

/// Where a file is written, for messages; and what the system has said of it.
struct Target {
    std::string shown;
    hdf5::WriteHealth health;

    /// The system's own words go before HDF5's.
    void check(std::string_view action, std::string_view dataset) const {
        if (health.error != 0) {
            throw Error(fmt::format(
                "cannot {} {}'{}': {}; make room or write it elsewhere: what was there before is "
                "unchanged",
                action,
                dataset.empty() ? std::string() : fmt::format("dataset '{}' of ", dataset),
                shown,
                std::strerror(health.error)));
        }
    }
};

/// One column of the file. Rows wait until there is a chunk of them; the dataset is made with the
/// first that go, so that a short column has a short chunk.
class ColumnSink {
public:
    ColumnSink(const Target& target, const hdf5::File& file, NewColumn column)
        : target_(target), file_(file), column_(std::move(column)),
          chunk_rows_(choose_chunk(column_).rows),
          row_bytes_(column_.row_elements() * column_.element_bytes()) {
        // Asks for the filter now, and not after an hour of appending.
        static_cast<void>(hdf5::creation_properties(subject(), column_, 1));
    }

    void append(const ColumnBlock& block, std::uint64_t rows) {
        if (column_.type == ElementType::string) {
            append_strings(block.strings, rows);
        } else {
            append_bytes({static_cast<const std::byte*>(block.values), rows * row_bytes_}, rows);
        }
    }

    /// Writes what waits; closes the dataset.
    void finish() {
        if (waiting_ > 0 || dataset_.get() < 0) {
            write_waiting();
        }
        target_.check("write", column_.name);
        const hid_t id = dataset_.release();
        checked(subject(), "close", write_advice, [&] { return H5Dclose(id); });
        target_.check("write", column_.name);
    }

private:
    [[nodiscard]] Subject subject() const { return {target_.shown, column_.name}; }

    void append_bytes(std::span<const std::byte> bytes, std::uint64_t rows) {
        while (rows > 0) {
            if (waiting_ == 0 && rows >= chunk_rows_) { // from where they lie
                write(bytes.data(), chunk_rows_);
                bytes = bytes.subspan(chunk_rows_ * row_bytes_);
                rows -= chunk_rows_;
                continue;
            }
            const std::uint64_t taken = std::min(rows, chunk_rows_ - waiting_);
            const auto piece = bytes.first(taken * row_bytes_);
            bytes_.insert(bytes_.end(), piece.begin(), piece.end());
            bytes = bytes.subspan(piece.size());
            rows -= taken;
            waiting_ += taken;
            if (waiting_ == chunk_rows_) {
                write_waiting();
            }
        }
    }

    void append_strings(std::span<const std::string> strings, std::uint64_t rows) {
        for (const std::string& text : strings) {
            if (text.find('\0') != std::string::npos) {
                throw UsageError(fmt::format("'{}': a text for column '{}' has a byte of zero in "
                                             "it, where HDF5 would end it; take it out",
                                             target_.shown,
                                             column_.name));
            }
        }
        while (rows > 0) {
            const std::uint64_t taken = std::min(rows, chunk_rows_ - waiting_);
            const auto piece = strings.first(taken * column_.row_elements());
            strings_.insert(strings_.end(), piece.begin(), piece.end());
            strings = strings.subspan(piece.size());
            rows -= taken;
            waiting_ += taken;
            if (waiting_ == chunk_rows_) {
                write_waiting();
            }
        }
    }

    void write_waiting() {
        if (column_.type == ElementType::string) {
            std::vector<const char*> texts;
            texts.reserve(strings_.size());
            for (const std::string& text : strings_) {
                texts.push_back(text.c_str());
            }
            write(texts.data(), waiting_);
        } else {
            write(bytes_.data(), waiting_);
        }
        bytes_.clear();
        strings_.clear();
        waiting_ = 0;
    }

    void make_dataset(std::uint64_t first_rows) {
        // Of fewer rows than a chunk there is only this one: nothing was written before.
        const std::uint64_t chunk = std::max<std::uint64_t>(std::min(chunk_rows_, first_rows), 1);
        const auto creation =
            hdf5::creation_properties(subject(), column_, first_rows == 0 ? chunk_rows_ : chunk);
        const auto links = hdf5::link_properties(subject());
        const auto space = hdf5::rows_space(subject(), column_, 0, /*may_grow=*/true);
        type_ = hdf5::stored_type(subject(), column_.type, column_.string_bytes);
        // Whole chunks are written: there is nothing to keep.
        const hdf5::PropertyList access(
            checked(subject(), "make", write_advice, [] { return H5Pcreate(H5P_DATASET_ACCESS); }));
        checked(subject(), "make", write_advice, [&] {
            return H5Pset_chunk_cache(access.get(), 1, 0, H5D_CHUNK_CACHE_W0_DEFAULT);
        });
        dataset_ = hdf5::Dataset(checked(subject(), "make", write_advice, [&] {
            return H5Dcreate2(file_.get(),
                              column_.name.c_str(),
                              type_.get(),
                              space.get(),
                              links.get(),
                              creation.get(),
                              access.get());
        }));
        hdf5::write_attributes(subject(), dataset_.get(), column_.attributes);
    }

    /// Appends rows to the dataset; all but the last time a whole chunk.
    void write(const void* values, std::uint64_t rows) {
        if (dataset_.get() < 0) {
            make_dataset(rows);
        }
        if (rows == 0) {
            return;
        }
        const std::string action = fmt::format("write rows {} to {} of", rows_, rows_ + rows - 1);
        std::vector<hsize_t> start(1 + column_.row_shape.size(), 0);
        std::vector<hsize_t> shape{rows_ + rows};
        shape.insert(shape.end(), column_.row_shape.begin(), column_.row_shape.end());
        checked(subject(), action, write_advice, [&] {
            return H5Dset_extent(dataset_.get(), shape.data());
        });
        const hdf5::Space file_space(
            checked(subject(), action, write_advice, [&] { return H5Dget_space(dataset_.get()); }));
        start.front() = rows_;
        shape.front() = rows;
        checked(subject(), action, write_advice, [&] {
            return H5Sselect_hyperslab(
                file_space.get(), H5S_SELECT_SET, start.data(), nullptr, shape.data(), nullptr);
        });
        const auto memory = hdf5::rows_space(subject(), column_, rows, /*may_grow=*/false);
        checked(subject(), action, write_advice, [&] {
            return H5Dwrite(
                dataset_.get(), type_.get(), memory.get(), file_space.get(), H5P_DEFAULT, values);
        });
        target_.check(action, column_.name);
        rows_ += rows;
    }

    const Target& target_;
    const hdf5::File& file_;
    NewColumn column_;
    std::uint64_t chunk_rows_;
    std::uint64_t row_bytes_;
    hdf5::Type type_;
    hdf5::Dataset dataset_;
    std::uint64_t rows_ = 0;           ///< In the dataset.
    std::uint64_t waiting_ = 0;        ///< Rows that are here, and not in it yet.
    std::vector<std::byte> bytes_;     ///< They,
    std::vector<std::string> strings_; ///< or these.
};

class Hdf5Sink final : public TableSink {
public:
    Hdf5Sink(const std::filesystem::path& path,
             const std::string& shown,
             std::vector<NewColumn> columns,
             const std::vector<Attribute>& attributes)
        : path_(path), target_{shown, {}}, file_(hdf5::create_file(path.string(), target_.health)) {
        hdf5::write_attributes({target_.shown}, file_.get(), attributes);
        columns_.reserve(columns.size());
        for (NewColumn& column : columns) {
            columns_.emplace_back(target_, file_, std::move(column));
        }
    }

    void append(std::span<const ColumnBlock> blocks, std::uint64_t rows) override {
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            columns_[i].append(blocks[i], rows);
        }
    }

    void close() override {
        for (ColumnSink& column : columns_) {
            column.finish();
        }
        columns_.clear();
        const Subject subject{target_.shown};
        checked(subject, "write", write_advice, [&] {
            return H5Fflush(file_.get(), H5F_SCOPE_GLOBAL);
        });
        target_.check("write", {});
        const hid_t id = file_.release();
        checked(subject, "close", write_advice, [&] { return H5Fclose(id); });
        target_.check("write", {});
        sync(path_, target_.shown);
    }

private:
    std::filesystem::path path_;
    Target target_; ///< Outlives the file.
    hdf5::File file_;
    std::vector<ColumnSink> columns_;
};

} // namespace

std::unique_ptr<TableSink> create_sink(const std::filesystem::path& file,
                                       const std::string& shown,
                                       std::vector<NewColumn> columns,
                                       const std::vector<Attribute>& attributes) {
    return std::make_unique<Hdf5Sink>(file, shown, std::move(columns), attributes);
}

} // namespace muster::data::write
