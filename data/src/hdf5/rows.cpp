#include "hdf5/describe.hpp"
#include "storage.hpp"

#include <muster/base/assert.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mutex>

namespace muster::data {
namespace {

using hdf5::checked;
using hdf5::Subject;

std::string read_advice(const Column& column) {
    const hdf5::Guard guard;
    for (const Filter& filter : column.filters) {
        if (H5Zfilter_avail(filter.id) <= 0) {
            return fmt::format("HDF5 has no filter {} (number {}): install its plugin and name the "
                               "directory in HDF5_PLUGIN_PATH",
                               filter.name,
                               filter.id);
        }
    }
    return "the file is damaged or changed while it was open; check it with h5dump";
}

class Rows final : public Hdf5Rows {
public:
    Rows(std::string path, Column column)
        : path_(std::move(path)), column_(std::move(column)), file_(hdf5::open_file(path_)),
          dataset_(hdf5::open_dataset(file_, path_, column_.name)),
          count_(column_.shape.begin(), column_.shape.end()), advice_(read_advice(column_)) {
        const Subject subject{path_, column_.name};
        type_ = hdf5::Type(
            checked(subject, "read", advice_, [&] { return H5Dget_type(dataset_.get()); }));
        space_ = hdf5::Space(
            checked(subject, "read", advice_, [&] { return H5Dget_space(dataset_.get()); }));
    }

    void read(std::uint64_t first, std::uint64_t count, std::byte* out) override {
        const std::lock_guard lock(mutex_);
        read_to(first, count, type_.get(), out);
    }

    void
    read_strings(std::uint64_t first, std::uint64_t count, std::vector<std::string>& out) override {
        const std::lock_guard lock(mutex_);
        const std::uint64_t elements = count * column_.row_elements();
        if (column_.type == ElementType::fixed_string) {
            const std::uint64_t width = column_.element_bytes;
            std::vector<char> text(elements * width);
            read_to(first, count, type_.get(), text.data());
            for (std::uint64_t i = 0; i < elements; ++i) {
                const char* const begin = text.data() + i * width;
                out.emplace_back(begin, ::strnlen(begin, width));
            }
            return;
        }
        std::vector<char*> texts(elements, nullptr);
        read_to(first, count, type_.get(), texts.data());
        try {
            for (const char* const text : texts) {
                out.emplace_back(text == nullptr ? "" : text);
            }
        } catch (...) {
            reclaim(texts.data());
            throw;
        }
        reclaim(texts.data());
    }

private:
    void read_to(std::uint64_t first, std::uint64_t rows, hid_t type, void* out) {
        const Subject subject{path_, column_.name};
        const std::string action = fmt::format("read rows {} to {} of", first, first + rows - 1);
        std::vector<hsize_t> start(count_.size(), 0);
        start[0] = first;
        count_[0] = rows;
        checked(subject, action, advice_, [&] {
            return H5Sselect_hyperslab(
                space_.get(), H5S_SELECT_SET, start.data(), nullptr, count_.data(), nullptr);
        });
        if (rows != rows_in_memory_) {
            memory_ = hdf5::Space(checked(subject, action, advice_, [&] {
                return H5Screate_simple(static_cast<int>(count_.size()), count_.data(), nullptr);
            }));
            rows_in_memory_ = rows;
        }
        checked(subject, action, advice_, [&] {
            return H5Dread(dataset_.get(), type, memory_.get(), space_.get(), H5P_DEFAULT, out);
        });
    }

    void reclaim(void* texts) {
        const hdf5::Guard guard;
        H5Dvlen_reclaim(type_.get(), memory_.get(), H5P_DEFAULT, texts);
    }

    std::string path_;
    Column column_;
    hdf5::File file_;
    hdf5::Dataset dataset_; ///< Closed before the file.
    std::mutex mutex_;      ///< Guards what follows.
    std::vector<hsize_t> count_;
    std::string advice_;
    hdf5::Type type_;
    hdf5::Space space_;
    hdf5::Space memory_;
    std::uint64_t rows_in_memory_ = 0;
};

} // namespace

std::unique_ptr<Hdf5Rows> open_with_hdf5(const std::string& path, const Column& column) {
    return std::make_unique<Rows>(path, column);
}

} // namespace muster::data
