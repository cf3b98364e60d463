#include "hdf5/describe.hpp"
#include "hdf5/locate.hpp"
#include "storage.hpp"

#include <fmt/format.h>

namespace muster::data {

FileDescription describe_file(const std::string& path, const std::vector<std::string>& names) {
    FileDescription description;
    const hdf5::File file = hdf5::open_file(path);
    description.stamp = stamp_of(path);
    description.is_complete = names.empty();
    for (const std::string& name : names.empty() ? hdf5::dataset_names(file, path) : names) {
        const hdf5::Dataset dataset = hdf5::open_dataset(file, path, name);
        DatasetDescription found;
        found.column = hdf5::describe(dataset, path, name);
        if (found.column.shape.empty()) {
            if (names.empty()) {
                continue; // a single value beside the table, not a column of it
            }
            throw Error(fmt::format("'{}': dataset '{}' is a single value or empty, without an "
                                    "axis to count rows along; check that it is the right file",
                                    path,
                                    name));
        }
        if (found.column.layout == StorageLayout::virtual_dataset) {
            found.pieces = hdf5::describe_pieces(dataset, path, found.column);
        }
        found.storage = hdf5::describe_storage(dataset, path, found.column);
        description.datasets.push_back(std::move(found));
    }
    return description;
}

} // namespace muster::data
