#include "hdf5/describe.hpp"
#include "hdf5/read_attributes.hpp"
#include "hdf5/stored_type.hpp"
#include "write/array_output.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace muster::data::write {
namespace {

using hdf5::checked;
using hdf5::Subject;

constexpr std::string_view advice = "the file is damaged; take another one";

std::vector<ArraySource>
read_sources(const Subject& subject, const hdf5::Dataset& dataset, std::size_t axes) {
    const hdf5::PropertyList creation(checked(
        subject, "read the layout of", advice, [&] { return H5Dget_create_plist(dataset.get()); }));
    std::size_t count = 0;
    checked(subject, "read the layout of", advice, [&] {
        return H5Pget_virtual_count(creation.get(), &count);
    });
    std::vector<ArraySource> sources;
    for (std::size_t i = 0; i < count; ++i) {
        const hdf5::Space space(checked(subject, "read the layout of", advice, [&] {
            return H5Pget_virtual_vspace(creation.get(), i);
        }));
        std::vector<hsize_t> first(axes);
        std::vector<hsize_t> last(axes);
        checked(subject, "read the layout of", advice, [&] {
            return H5Sget_select_bounds(space.get(), first.data(), last.data());
        });
        const auto length = checked(subject, "read the layout of", advice, [&] {
            return H5Pget_virtual_filename(creation.get(), i, nullptr, 0);
        });
        std::string name(static_cast<std::size_t>(length) + 1, '\0');
        checked(subject, "read the layout of", advice, [&] {
            return H5Pget_virtual_filename(creation.get(), i, name.data(), name.size());
        });
        name.pop_back();
        ArraySource source{std::move(name), {{first.begin(), first.end()}, {}}};
        for (std::size_t axis = 0; axis < axes; ++axis) {
            source.slab.count.push_back(last[axis] - first[axis] + 1);
        }
        sources.push_back(std::move(source));
    }
    return sources;
}

class Hdf5ArrayInput final : public ArrayInput {
public:
    explicit Hdf5ArrayInput(const std::filesystem::path& path)
        : shown_(path.string()), file_(hdf5::open_file(path)) {
        attributes_ = hdf5::read_attributes({shown_}, file_.get()).attributes;
        for (const std::string& name : hdf5::dataset_names(file_, shown_)) {
            add(name);
        }
    }

    [[nodiscard]] const std::vector<StoredArray>& arrays() const override { return arrays_; }

    [[nodiscard]] const std::vector<Attribute>& attributes() const override { return attributes_; }

    void read(const ArrayInfo& info,
              const Slab& slab,
              const std::vector<std::uint64_t>& memory_shape,
              const std::vector<std::uint64_t>& memory_start,
              std::byte* out) const override {
        const Subject subject{shown_, info.name};
        const hdf5::Dataset dataset = hdf5::open_dataset(file_, shown_, info.name);
        const hdf5::Space space(
            checked(subject, "read", advice, [&] { return H5Dget_space(dataset.get()); }));
        select(subject, space, slab.start, slab.count);
        const std::vector<hsize_t> axes(memory_shape.begin(), memory_shape.end());
        const hdf5::Space memory(checked(subject, "read", advice, [&] {
            return H5Screate_simple(static_cast<int>(axes.size()), axes.data(), nullptr);
        }));
        select(subject, memory, memory_start, slab.count);
        const auto type = hdf5::stored_type(subject, info.type, 0);
        checked(subject, "read", advice, [&] {
            return H5Dread(dataset.get(), type.get(), memory.get(), space.get(), H5P_DEFAULT, out);
        });
    }

private:
    static void select(const Subject& subject,
                       const hdf5::Space& space,
                       const std::vector<std::uint64_t>& from,
                       const std::vector<std::uint64_t>& counts) {
        const std::vector<hsize_t> start(from.begin(), from.end());
        const std::vector<hsize_t> count(counts.begin(), counts.end());
        checked(subject, "read", advice, [&] {
            return H5Sselect_hyperslab(
                space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
        });
    }

    void add(const std::string& name) {
        const Subject subject{shown_, name};
        const hdf5::Dataset dataset = hdf5::open_dataset(file_, shown_, name);
        const Column column = hdf5::describe(dataset, shown_, name);
        StoredArray array{{name, column.type, column.shape}, std::nullopt, false, {}};
        for (const Attribute& note : hdf5::read_attributes(subject, dataset.get()).attributes) {
            const auto* const value = std::get_if<std::int64_t>(&note.value);
            if (note.name == "muster_crc32c" && value != nullptr) {
                array.checksum = static_cast<std::uint32_t>(*value);
            }
        }
        if (column.layout == StorageLayout::virtual_dataset) {
            array.is_virtual = true;
            array.sources = read_sources(subject, dataset, column.shape.size());
        }
        arrays_.push_back(std::move(array));
    }

    std::string shown_;
    hdf5::File file_;
    std::vector<StoredArray> arrays_;
    std::vector<Attribute> attributes_;
};

} // namespace

std::unique_ptr<ArrayInput> open_array_input(const std::filesystem::path& file) {
    return std::make_unique<Hdf5ArrayInput>(file);
}

} // namespace muster::data::write
