#include "hdf5/describe.hpp"
#include "table_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace muster::data {
namespace {

using hdf5::checked;
using hdf5::Subject;

constexpr std::string_view read_advice =
    "the file is damaged, changed while it was open, or needs a filter this HDF5 lacks; "
    "check it with h5dump";

std::string without_leading_slash(const std::string& name) {
    return name.substr(std::min(name.find_first_not_of('/'), name.size()));
}

/// A selection in a file and the memory it is read to: some rows at a time.
class RowReader {
public:
    RowReader(const Subject& subject,
              const hdf5::Dataset& dataset,
              const Column& column,
              ElementType as)
        : subject_(subject), dataset_(dataset), count_(column.shape.begin(), column.shape.end()),
          type_(hdf5::memory_type(as)),
          space_(
              checked(subject, "read", read_advice, [&] { return H5Dget_space(dataset.get()); })) {}

    void read(std::uint64_t first, std::uint64_t rows, void* out) {
        std::vector<hsize_t> start(count_.size(), 0);
        start[0] = first;
        count_[0] = rows;
        const std::string action = fmt::format("read rows {} to {} of", first, first + rows - 1);
        checked(subject_, action, read_advice, [&] {
            return H5Sselect_hyperslab(
                space_.get(), H5S_SELECT_SET, start.data(), nullptr, count_.data(), nullptr);
        });
        if (rows != rows_in_memory_) {
            memory_ = hdf5::Space(checked(subject_, action, read_advice, [&] {
                return H5Screate_simple(static_cast<int>(count_.size()), count_.data(), nullptr);
            }));
            rows_in_memory_ = rows;
        }
        checked(subject_, action, read_advice, [&] {
            return H5Dread(dataset_.get(), type_, memory_.get(), space_.get(), H5P_DEFAULT, out);
        });
    }

private:
    Subject subject_;
    const hdf5::Dataset& dataset_;
    std::vector<hsize_t> count_;
    hid_t type_;
    hdf5::Space space_;
    hdf5::Space memory_;
    std::uint64_t rows_in_memory_ = 0;
};

class Hdf5Source final : public TableSource {
public:
    Hdf5Source(std::string path,
               std::vector<Column> columns,
               hdf5::File file,
               std::vector<hdf5::Dataset> datasets)
        : TableSource(std::move(path), std::move(columns)), file_(std::move(file)),
          datasets_(std::move(datasets)) {}

    void read_rows(std::size_t column,
                   std::uint64_t first,
                   std::uint64_t count,
                   ElementType as,
                   void* out) override {
        reader(column, as).read(first, count, out);
    }

    /// In order of row, so that a chunk is visited once, and consecutive rows in one read.
    void gather(std::size_t column,
                std::span<const std::uint64_t> rows,
                ElementType as,
                void* out) override {
        std::vector<std::size_t> order(rows.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return rows[a] < rows[b];
        });
        const std::uint64_t row_bytes = columns()[column].row_elements() * size_bytes(as);
        RowReader rows_of_column = reader(column, as);
        for (std::size_t i = 0; i < order.size();) {
            std::size_t length = 1; // of the run that is consecutive in the file and in `out`
            while (i + length < order.size() && order[i + length] == order[i] + length &&
                   rows[order[i + length]] == rows[order[i]] + length) {
                ++length;
            }
            rows_of_column.read(
                rows[order[i]], length, static_cast<std::byte*>(out) + order[i] * row_bytes);
            i += length;
        }
    }

private:
    [[nodiscard]] RowReader reader(std::size_t column, ElementType as) const {
        const Column& of = columns()[column];
        return {Subject{file(), of.name}, datasets_[column], of, as};
    }

    hdf5::File file_;
    std::vector<hdf5::Dataset> datasets_; ///< In the order of columns(); closed before the file.
};

} // namespace

std::shared_ptr<TableSource> open_hdf5_source(const std::filesystem::path& file,
                                              const std::vector<std::string>& names) {
    const std::string path = file.string();
    hdf5::File opened = hdf5::open_file(file);
    std::vector<Column> columns;
    std::vector<hdf5::Dataset> datasets;
    const bool take_all = names.empty();
    for (const std::string& given : take_all ? hdf5::dataset_names(opened, path) : names) {
        const std::string name = without_leading_slash(given);
        hdf5::Dataset dataset = hdf5::open_dataset(opened, path, name);
        Column column = hdf5::describe(dataset, path, name);
        if (column.shape.empty()) {
            if (take_all) {
                continue; // a single value beside the table, not a column of it
            }
            throw Error(fmt::format("'{}': dataset '{}' is a single value or empty, without an "
                                    "axis to count rows along; check that it is the right file",
                                    path,
                                    name));
        }
        columns.push_back(std::move(column));
        datasets.push_back(std::move(dataset));
    }
    return std::make_shared<Hdf5Source>(
        path, std::move(columns), std::move(opened), std::move(datasets));
}

} // namespace muster::data
