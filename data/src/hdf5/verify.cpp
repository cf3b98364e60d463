#include "hdf5/describe.hpp"
#include "hdf5/read_attributes.hpp"
#include "hdf5/stored_type.hpp"

#include <muster/data/verify.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <set>

namespace muster::data {
namespace {

namespace fs = std::filesystem;
using hdf5::checked;
using hdf5::Subject;

constexpr std::uint64_t block_bytes = std::uint64_t{1} << 20U; // of a dataset without chunks
constexpr std::string_view advice = "the file is damaged; write or copy it again";
constexpr std::string_view copy_advice = "copy or write it again";

/// HDF5's words for what readers of a report understand at once.
std::string plain(const std::string& reason) {
    if (reason.find("letcher32") != std::string::npos) {
        return "its checksum is another one than was written";
    }
    return fmt::format("it cannot be decoded: HDF5 says '{}'", reason);
}

class Verifier {
public:
    void file(const fs::path& path) {
        if (!seen_.insert(path.lexically_normal().string()).second) {
            return;
        }
        ++result.files;
        const std::string shown = path.string();
        std::vector<fs::path> sources;
        try {
            const hdf5::File opened = hdf5::open_file(path);
            const std::uint64_t bytes = fs::file_size(path);
            for (const std::string& name : hdf5::dataset_names(opened, shown)) {
                ++result.datasets;
                try {
                    dataset(opened, shown, name, bytes);
                    const hdf5::Dataset one = hdf5::open_dataset(opened, shown, name);
                    for (const std::string& source :
                         hdf5::virtual_sources({shown, name}, one.get())) {
                        if (source != ".") { // the file itself
                            sources.push_back(path.parent_path() / source);
                        }
                    }
                } catch (const Error& error) {
                    add({shown, name}, std::nullopt, error.what());
                }
            }
        } catch (const Error& error) {
            add({shown}, std::nullopt, error.what());
        }
        for (const fs::path& source : sources) {
            file(source);
        }
    }

    Verification result;

private:
    void add(const Subject& subject, std::optional<std::uint64_t> offset, std::string text) {
        result.damages.push_back(
            {std::string(subject.file), std::string(subject.dataset), offset, std::move(text)});
    }

    void dataset(const hdf5::File& opened,
                 const std::string& path,
                 const std::string& name,
                 std::uint64_t file_bytes) {
        const hdf5::Dataset dataset = hdf5::open_dataset(opened, path, name);
        const Column column = hdf5::describe(dataset, path, name);
        const Subject subject{path, name};
        if (column.layout == StorageLayout::virtual_dataset) {
            covers(subject, column, dataset.get(), fs::path(path).parent_path());
        } else if (column.layout == StorageLayout::chunked) {
            chunks(subject, column, dataset.get(), file_bytes);
        } else {
            blocks(subject, column, dataset.get(), file_bytes);
        }
    }

    /// Reads a box of the dataset. @return what is wrong with it, or nothing.
    std::string
    read(const Subject& subject, hid_t id, std::vector<hsize_t> first, std::vector<hsize_t> count) {
        const hdf5::Type type(
            checked(subject, "read the type of", advice, [&] { return H5Dget_type(id); }));
        const hdf5::Space space(
            checked(subject, "read the shape of", advice, [&] { return H5Dget_space(id); }));
        const int rank = static_cast<int>(first.size());
        const hdf5::Space memory(checked(subject, "read", advice, [&] {
            return rank == 0 ? H5Screate(H5S_SCALAR)
                             : H5Screate_simple(rank, count.data(), nullptr);
        }));
        std::uint64_t elements = 1;
        for (const hsize_t axis : count) {
            elements *= axis;
        }
        const hdf5::Guard guard;
        if (rank > 0 &&
            H5Sselect_hyperslab(
                space.get(), H5S_SELECT_SET, first.data(), nullptr, count.data(), nullptr) < 0) {
            return plain(hdf5::last_reason());
        }
        buffer_.resize(elements * H5Tget_size(type.get()));
        std::string wrong;
        if (H5Dread(id, type.get(), memory.get(), space.get(), H5P_DEFAULT, buffer_.data()) < 0) {
            wrong = plain(hdf5::last_reason());
        } else if (H5Tdetect_class(type.get(), H5T_VLEN) > 0 ||
                   H5Tis_variable_str(type.get()) > 0) {
            H5Dvlen_reclaim(type.get(), memory.get(), H5P_DEFAULT, buffer_.data());
        }
        return wrong;
    }

    void chunks(const Subject& subject, const Column& column, hid_t id, std::uint64_t file_bytes) {
        const hdf5::Space space(
            checked(subject, "read the shape of", advice, [&] { return H5Dget_space(id); }));
        hsize_t count = 0;
        checked(subject, "read the chunks of", advice, [&] {
            return H5Dget_num_chunks(id, space.get(), &count);
        });
        for (hsize_t i = 0; i < count; ++i) {
            std::vector<hsize_t> first(column.shape.size(), 0);
            unsigned skipped = 0;
            haddr_t address = 0;
            hsize_t size = 0;
            checked(subject, "read the chunks of", advice, [&] {
                return H5Dget_chunk_info(
                    id, space.get(), i, first.data(), &skipped, &address, &size);
            });
            ++result.chunks;
            result.bytes += size;
            if (address > file_bytes || size > file_bytes - address) {
                add(subject,
                    address,
                    fmt::format("the chunk of {} bytes lies behind the end of the file, which has "
                                "{} bytes: it is cut off; {}",
                                size,
                                file_bytes,
                                copy_advice));
                continue;
            }
            std::vector<hsize_t> box(column.shape.size());
            for (std::size_t axis = 0; axis < box.size(); ++axis) {
                box[axis] = std::min<hsize_t>(column.chunk[axis], column.shape[axis] - first[axis]);
            }
            const std::uint64_t first_row = first.front();
            const std::uint64_t last_row = first_row + box.front() - 1;
            const std::string wrong = read(subject, id, first, box);
            if (!wrong.empty()) {
                add(subject,
                    address,
                    fmt::format("the chunk of rows {} to {}: {}; {}",
                                first_row,
                                last_row,
                                wrong,
                                copy_advice));
            }
        }
    }

    void blocks(const Subject& subject, const Column& column, hid_t id, std::uint64_t file_bytes) {
        std::optional<std::uint64_t> start;
        if (column.layout == StorageLayout::contiguous) {
            const hdf5::Guard guard;
            const haddr_t address = H5Dget_offset(id);
            if (address != HADDR_UNDEF) {
                start = address;
            }
        }
        if (start && (*start > file_bytes || column.stored_bytes > file_bytes - *start)) {
            add(subject,
                start,
                fmt::format(
                    "its {} bytes lie behind the end of the file, which has {} bytes: it is "
                    "cut off; {}",
                    column.stored_bytes,
                    file_bytes,
                    copy_advice));
            return;
        }
        std::uint64_t rows = column.shape.empty() ? 1 : column.rows();
        const std::uint64_t row_bytes =
            column.shape.empty() ? 1 : std::max<std::uint64_t>(column.row_bytes(), 1);
        const std::uint64_t step = std::max<std::uint64_t>(block_bytes / row_bytes, 1);
        if (!column.shape.empty() && column.row_elements() == 0) {
            rows = 0;
        }
        for (std::uint64_t row = 0; row < rows; row += step) {
            std::vector<hsize_t> first(column.shape.size(), 0);
            std::vector<hsize_t> box(column.shape.begin(), column.shape.end());
            if (!box.empty()) {
                first.front() = row;
                box.front() = std::min(step, rows - row);
            }
            ++result.chunks;
            const std::string wrong = read(subject, id, first, box);
            if (!wrong.empty()) {
                add(subject,
                    start ? std::optional(*start + row * row_bytes) : std::nullopt,
                    fmt::format("from row {} on: {}; {}", row, wrong, copy_advice));
                return;
            }
        }
        result.bytes += column.stored_bytes;
    }

    /// What no source has is read as zeros without a word: so all must be there, with enough rows.
    void covers(const Subject& subject, const Column& column, hid_t id, const fs::path& folder) {
        const hdf5::PropertyList creation(checked(
            subject, "read the layout of", advice, [&] { return H5Dget_create_plist(id); }));
        std::size_t count = 0;
        checked(subject, "read the layout of", advice, [&] {
            return H5Pget_virtual_count(creation.get(), &count);
        });
        std::uint64_t rows = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const auto name = [&](auto get) {
                const hdf5::Guard guard;
                const ssize_t length = get(creation.get(), i, nullptr, 0);
                std::string text(static_cast<std::size_t>(std::max<ssize_t>(length, 0)) + 1, '\0');
                get(creation.get(), i, text.data(), text.size());
                text.pop_back();
                return text;
            };
            const std::string file = name(&H5Pget_virtual_filename);
            const std::string dataset = name(&H5Pget_virtual_dsetname);
            const hdf5::Space there(checked(subject, "read the layout of", advice, [&] {
                return H5Pget_virtual_vspace(creation.get(), i);
            }));
            std::uint64_t mapped = 0;
            {
                const hdf5::Guard guard;
                std::vector<hsize_t> low(column.shape.size());
                std::vector<hsize_t> high(column.shape.size());
                if (H5Sget_select_bounds(there.get(), low.data(), high.data()) >= 0) {
                    mapped = high.front() - low.front() + 1;
                    rows += mapped;
                }
            }
            const fs::path path = file == "." ? fs::path(subject.file) : folder / file;
            std::error_code error;
            if (!fs::exists(path, error)) {
                continue; // reported when it is opened
            }
            source(subject, path, dataset, creation.get(), i, mapped);
        }
        if (rows < column.rows()) {
            add(subject,
                std::nullopt,
                fmt::format("{} of its {} rows are in no file that it refers to, and are read as "
                            "zeros; stitch it again",
                            column.rows() - rows,
                            column.rows()));
        }
    }

    /// The dataset that is referred to has the rows that are expected of it.
    void source(const Subject& subject,
                const fs::path& path,
                const std::string& name,
                hid_t creation,
                std::size_t i,
                std::uint64_t mapped) {
        try {
            const std::string shown = path.string();
            const hdf5::File file = hdf5::open_file(path);
            const hdf5::Dataset dataset = hdf5::open_dataset(file, shown, name);
            const Column column = hdf5::describe(dataset, shown, name);
            const hdf5::Guard guard;
            const hdf5::Space wanted(H5Pget_virtual_srcspace(creation, i));
            // A whole dataset is not said to have a shape: as many rows, then, as are mapped to it.
            std::uint64_t needed = mapped;
            std::vector<hsize_t> low(H5S_MAX_RANK);
            std::vector<hsize_t> high(H5S_MAX_RANK);
            if (H5Sget_select_type(wanted.get()) == H5S_SEL_HYPERSLABS &&
                H5Sget_select_bounds(wanted.get(), low.data(), high.data()) >= 0) {
                needed = high.front() + 1;
            }
            if (column.shape.empty() || column.rows() < needed) {
                add(subject,
                    std::nullopt,
                    fmt::format("'{}' should have at least {} rows of '{}', but has {}; write it "
                                "again",
                                shown,
                                needed,
                                name,
                                column.shape.empty() ? 0 : column.rows()));
            }
        } catch (const Error&) {
            return; // reported when it is verified itself
        }
    }

    std::set<std::string> seen_;
    std::vector<std::byte> buffer_;
};

} // namespace

Verification verify(const fs::path& file) {
    Verifier verifier;
    verifier.file(file);
    return std::move(verifier.result);
}

} // namespace muster::data
