#include "hdf5/attributes.hpp"
#include "hdf5/describe.hpp"
#include "hdf5/new_dataset.hpp"
#include "hdf5/read_attributes.hpp"
#include "hdf5/steady_driver.hpp"
#include "hdf5/stored_type.hpp"
#include "write/durable.hpp"
#include "write/table_sink.hpp"

#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <set>

namespace muster::data::write {
namespace {

using hdf5::checked;
using hdf5::Subject;

constexpr std::string_view advice = "write it again, to another disk if it comes again";

void select_rows(const Subject& subject,
                 const hdf5::Space& space,
                 const NewColumn& column,
                 std::uint64_t first,
                 std::uint64_t rows) {
    std::vector<hsize_t> start(1 + column.row_shape.size(), 0);
    std::vector<hsize_t> count{rows};
    count.insert(count.end(), column.row_shape.begin(), column.row_shape.end());
    start.front() = first;
    checked(subject, "stitch", advice, [&] {
        return H5Sselect_hyperslab(
            space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    });
}

void stitch_column(const Subject& subject,
                   const hdf5::File& file,
                   const NewColumn& column,
                   std::span<const Source> sources) {
    std::uint64_t rows = 0;
    for (const Source& source : sources) {
        rows += source.rows;
    }
    const auto links = hdf5::link_properties(subject);
    const auto type = hdf5::stored_type(subject, column.type, column.string_bytes);
    auto creation = hdf5::creation_properties(subject, column, choose_chunk(column).rows);
    const auto space = hdf5::rows_space(subject, column, rows, /*may_grow=*/false);
    if (rows > 0) { // of nothing there is nothing to refer to: an ordinary dataset without rows
        creation = hdf5::PropertyList(
            checked(subject, "stitch", advice, [] { return H5Pcreate(H5P_DATASET_CREATE); }));
        checked(
            subject, "stitch", advice, [&] { return H5Pset_obj_track_times(creation.get(), 0); });
        std::uint64_t first = 0;
        for (const Source& source : sources) {
            if (source.rows == 0) {
                continue;
            }
            select_rows(subject, space, column, first, source.rows);
            const auto whole = hdf5::rows_space(subject, column, source.rows, /*may_grow=*/false);
            checked(subject, "stitch", advice, [&] {
                return H5Pset_virtual(creation.get(),
                                      space.get(),
                                      source.file.c_str(),
                                      column.name.c_str(),
                                      whole.get());
            });
            first += source.rows;
        }
        checked(subject, "stitch", advice, [&] { return H5Sselect_all(space.get()); });
    }
    const hdf5::Dataset dataset(checked(subject, "stitch", advice, [&] {
        return H5Dcreate2(file.get(),
                          column.name.c_str(),
                          type.get(),
                          space.get(),
                          links.get(),
                          creation.get(),
                          H5P_DEFAULT);
    }));
    hdf5::write_attributes(subject, dataset.get(), column.attributes);
}

void check_health(const hdf5::WriteHealth& health, const std::string& shown) {
    if (health.error != 0) {
        throw Error(fmt::format("cannot write '{}': {}; make room or write it elsewhere: what was "
                                "there before is unchanged",
                                shown,
                                std::strerror(health.error)));
    }
}

} // namespace

void create_stitched(const std::filesystem::path& file,
                     const std::string& shown,
                     const std::vector<NewColumn>& columns,
                     std::span<const Source> sources,
                     std::uint64_t generation,
                     const std::vector<Attribute>& attributes) {
    hdf5::WriteHealth health;
    hdf5::File created = hdf5::create_file(file.string(), health);
    std::vector<Attribute> all = attributes;
    all.push_back({hdf5::generation_name, static_cast<std::int64_t>(generation)});
    hdf5::write_attributes({shown}, created.get(), all);
    for (const NewColumn& column : columns) {
        stitch_column({shown, column.name}, created, column, sources);
    }
    checked({shown}, "write", advice, [&] { return H5Fflush(created.get(), H5F_SCOPE_GLOBAL); });
    check_health(health, shown);
    const hid_t id = created.release();
    checked({shown}, "close", advice, [&] { return H5Fclose(id); });
    check_health(health, shown);
    sync(file, shown);
}

namespace {

/// Nothing where there is no file, or it is not HDF5's: whatever it is, no commit() has written it.
std::optional<hdf5::File> open_if_there(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::exists(path, error)) {
        return std::nullopt;
    }
    try {
        return hdf5::open_file(path);
    } catch (const Error&) {
        return std::nullopt;
    }
}

} // namespace

std::uint64_t read_generation(const std::filesystem::path& path) {
    const auto file = open_if_there(path);
    return file ? hdf5::read_generation(*file) : 0;
}

Stitched read_stitched(const std::filesystem::path& path) {
    const auto file = open_if_there(path);
    if (!file) {
        return {};
    }
    Stitched stitched{hdf5::read_generation(*file), {}};
    const std::string shown = path.string();
    std::set<std::string> names;
    for (const std::string& name : hdf5::dataset_names(*file, shown)) {
        const hdf5::Dataset dataset = hdf5::open_dataset(*file, shown, name);
        const auto sources = hdf5::virtual_sources({shown, name}, dataset.get());
        names.insert(sources.begin(), sources.end());
    }
    stitched.sources.assign(names.begin(), names.end());
    return stitched;
}

} // namespace muster::data::write
