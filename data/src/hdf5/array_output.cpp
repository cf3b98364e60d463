#include "write/array_output.hpp"

#include "hdf5/attributes.hpp"
#include "hdf5/new_dataset.hpp"
#include "hdf5/steady_driver.hpp"
#include "hdf5/stored_type.hpp"
#include "write/durable.hpp"

#include <muster/base/crc32c.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace muster::data::write {
namespace {

using hdf5::checked;
using hdf5::Subject;

constexpr std::string_view advice = "write it again, to another disk if it comes again";
constexpr std::uint64_t slice_bytes = std::uint64_t{16} << 20U;

hdf5::Space space_of(const Subject& subject, const std::vector<std::uint64_t>& shape) {
    const std::vector<hsize_t> axes(shape.begin(), shape.end());
    return hdf5::Space(checked(subject, "make", advice, [&] {
        return H5Screate_simple(static_cast<int>(axes.size()), axes.data(), nullptr);
    }));
}

void select(const Subject& subject, const hdf5::Space& space, const Slab& slab) {
    const std::vector<hsize_t> start(slab.start.begin(), slab.start.end());
    const std::vector<hsize_t> count(slab.count.begin(), slab.count.end());
    checked(subject, "write", advice, [&] {
        return H5Sselect_hyperslab(
            space.get(), H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr);
    });
}

class Hdf5ArrayOutput final : public ArrayOutput {
public:
    Hdf5ArrayOutput(std::filesystem::path path, std::string shown)
        : path_(std::move(path)), shown_(std::move(shown)),
          file_(hdf5::create_file(path_.string(), health_)) {}

    void write(const ArrayInfo& info, std::span<const std::byte> values) override {
        const Subject subject{shown_, info.name};
        auto creation = new_properties(subject);
        checked(subject, "make", advice, [&] {
            return H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER);
        });
        const auto space = space_of(subject, info.shape);
        const hdf5::Dataset dataset = make(info, space, creation);
        const auto type = hdf5::stored_type(subject, info.type, 0);
        std::uint32_t crc = 0;
        const std::uint64_t rows = info.elements() == 0 ? 0 : info.shape.front();
        const std::uint64_t row_bytes = rows == 0 ? 1 : values.size() / rows;
        const std::uint64_t slice_rows = std::max<std::uint64_t>(slice_bytes / row_bytes, 1);
        for (std::uint64_t row = 0; row < rows; row += slice_rows) {
            const std::uint64_t count = std::min(slice_rows, rows - row);
            const auto slice = values.subspan(row * row_bytes, count * row_bytes);
            Slab slab{std::vector<std::uint64_t>(info.shape.size(), 0), info.shape};
            slab.start.front() = row;
            slab.count.front() = count;
            select(subject, space, slab);
            const auto memory = space_of(subject, slab.count);
            crc = crc32c(slice, crc);
            checked(subject, "write", advice, [&] {
                return H5Dwrite(dataset.get(),
                                type.get(),
                                memory.get(),
                                space.get(),
                                H5P_DEFAULT,
                                slice.data());
            });
            check_health("write", info.name);
        }
        hdf5::write_attributes(
            subject, dataset.get(), std::vector<Attribute>{{"muster_crc32c", std::int64_t{crc}}});
        check_health("write", info.name);
    }

    void stitch(const ArrayInfo& info, std::span<const ArraySource> sources) override {
        const Subject subject{shown_, info.name};
        auto creation = new_properties(subject);
        const auto space = space_of(subject, info.shape);
        for (const ArraySource& source : sources) {
            select(subject, space, source.slab);
            const auto piece = space_of(subject, source.slab.count);
            checked(subject, "stitch", advice, [&] {
                return H5Pset_virtual(creation.get(),
                                      space.get(),
                                      source.file.c_str(),
                                      info.name.c_str(),
                                      piece.get());
            });
        }
        checked(subject, "stitch", advice, [&] { return H5Sselect_all(space.get()); });
        static_cast<void>(make(info, space, creation));
        check_health("write", info.name);
    }

    void close(std::span<const Attribute> attributes) override {
        const Subject subject{shown_};
        hdf5::write_attributes(subject, file_.get(), attributes);
        checked(subject, "write", advice, [&] { return H5Fflush(file_.get(), H5F_SCOPE_GLOBAL); });
        check_health("write", {});
        const hid_t id = file_.release();
        checked(subject, "close", advice, [&] { return H5Fclose(id); });
        check_health("write", {});
        sync(path_, shown_);
    }

private:
    [[nodiscard]] static hdf5::PropertyList new_properties(const Subject& subject) {
        hdf5::PropertyList list(
            checked(subject, "make", advice, [] { return H5Pcreate(H5P_DATASET_CREATE); }));
        checked(subject, "make", advice, [&] { return H5Pset_obj_track_times(list.get(), 0); });
        return list;
    }

    [[nodiscard]] hdf5::Dataset
    make(const ArrayInfo& info, const hdf5::Space& space, const hdf5::PropertyList& creation) {
        const Subject subject{shown_, info.name};
        const auto type = hdf5::stored_type(subject, info.type, 0);
        const auto links = hdf5::link_properties(subject);
        return hdf5::Dataset(checked(subject, "make", advice, [&] {
            return H5Dcreate2(file_.get(),
                              info.name.c_str(),
                              type.get(),
                              space.get(),
                              links.get(),
                              creation.get(),
                              H5P_DEFAULT);
        }));
    }

    /// The system's own words go before HDF5's.
    void check_health(std::string_view action, std::string_view array) const {
        if (health_.error != 0) {
            throw Error(fmt::format(
                "cannot {} {}'{}': {}; make room or write it elsewhere: what was there before is "
                "unchanged",
                action,
                array.empty() ? std::string() : fmt::format("array '{}' of ", array),
                shown_,
                std::strerror(health_.error)));
        }
    }

    std::filesystem::path path_;
    std::string shown_;
    hdf5::WriteHealth health_; ///< Outlives the file.
    hdf5::File file_;
};

} // namespace

std::unique_ptr<ArrayOutput> create_array_output(const std::filesystem::path& file,
                                                 const std::string& shown) {
    return std::make_unique<Hdf5ArrayOutput>(file, shown);
}

} // namespace muster::data::write
