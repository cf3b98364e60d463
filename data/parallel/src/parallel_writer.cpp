#include "hdf5/attributes.hpp"
#include "hdf5/new_dataset.hpp"
#include "hdf5/stored_type.hpp"
#include "write/check.hpp"
#include "write/durable.hpp"
#include "write/names.hpp"

#include <muster/base/error.hpp>
#include <muster/data/parallel_writer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace muster::data {
namespace {

namespace fs = std::filesystem;
using hdf5::checked;
using hdf5::Subject;

constexpr std::string_view advice = "check the file system, and write it again";

/// A communicator of our own, so that HDF5's messages meet nobody else's.
class Ranks {
public:
    explicit Ranks(MPI_Comm comm) {
        MPI_Comm_dup(comm, &comm_);
        MPI_Comm_rank(comm_, &rank_);
    }

    ~Ranks() { MPI_Comm_free(&comm_); }

    Ranks(const Ranks&) = delete;
    Ranks& operator=(const Ranks&) = delete;

    [[nodiscard]] MPI_Comm get() const { return comm_; }

    [[nodiscard]] bool is_first() const { return rank_ == 0; }

    /// What rank 0 has, on all.
    [[nodiscard]] std::string share(std::string text) const {
        auto size = static_cast<unsigned long long>(text.size());
        MPI_Bcast(&size, 1, MPI_UNSIGNED_LONG_LONG, 0, comm_);
        text.resize(size);
        MPI_Bcast(text.data(), static_cast<int>(size), MPI_CHAR, 0, comm_);
        return text;
    }

    /// Rank 0 does something; where it fails, all ranks throw its error.
    template <class Call>
    void first_does(const Call& call) const {
        std::string problem;
        if (is_first()) {
            try {
                call();
            } catch (const std::exception& error) {
                problem = error.what();
            }
        }
        problem = share(problem);
        if (!problem.empty()) {
            throw Error(problem);
        }
    }

    /// All ranks do something; where any fails, all throw.
    template <class Call>
    void all_do(const std::string& shown, const Call& call) const {
        std::string problem;
        try {
            call();
        } catch (const std::exception& error) {
            problem = error.what();
        }
        int failed = problem.empty() ? 0 : 1;
        MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, comm_);
        if (failed != 0) {
            throw Error(
                problem.empty()
                    ? fmt::format("cannot write '{}': another rank has failed, and says why", shown)
                    : problem);
        }
    }

private:
    MPI_Comm comm_ = MPI_COMM_NULL;
    int rank_ = 0;
};

hdf5::PropertyList file_access(const Subject& subject, MPI_Comm comm) {
    hdf5::PropertyList access(
        checked(subject, "write", advice, [] { return H5Pcreate(H5P_FILE_ACCESS); }));
    checked(subject, "write", advice, [&] {
        return H5Pset_fapl_mpio(access.get(), comm, MPI_INFO_NULL);
    });
    return access;
}

hdf5::PropertyList transfer(const Subject& subject, bool is_collective) {
    hdf5::PropertyList list(
        checked(subject, "write", advice, [] { return H5Pcreate(H5P_DATASET_XFER); }));
    checked(subject, "write", advice, [&] {
        return H5Pset_dxpl_mpio(list.get(),
                                is_collective ? H5FD_MPIO_COLLECTIVE : H5FD_MPIO_INDEPENDENT);
    });
    return list;
}

} // namespace

struct ParallelFileWriter::State {
    State(MPI_Comm comm, fs::path place, std::uint64_t row_count, std::vector<NewColumn> declared)
        : ranks(comm), path(std::move(place)), rows(row_count), columns(std::move(declared)) {}

    Ranks ranks;
    fs::path path;
    std::uint64_t rows;
    std::vector<NewColumn> columns;
    bool is_collective = false;
    bool may_replace = false;
    fs::path part{};
    hdf5::File file{};
    std::vector<hdf5::Type> types{};
    std::vector<hdf5::Dataset> datasets{}; ///< In the order of columns; closed before the file.
};

ParallelFileWriter::ParallelFileWriter(MPI_Comm comm,
                                       const fs::path& path,
                                       std::uint64_t rows,
                                       std::vector<NewColumn> columns,
                                       const WriteOptions& options)
    : state_(std::make_unique<State>(comm, path, rows, std::move(columns))) {
    const std::string shown = path.string();
    write::declarable(shown, state_->columns);
    for (const NewColumn& column : state_->columns) {
        if (column.type == ElementType::string) {
            throw UsageError(
                fmt::format("'{}': column '{}' is text of any length, which parallel HDF5 "
                            "cannot write; make it a fixed_string",
                            shown,
                            column.name));
        }
        state_->is_collective = state_->is_collective || column.compression != Compression{};
    }
    state_->may_replace = options.replace;
    std::string nonce;
    state_->ranks.first_does([&] {
        write::check_place(path, options.replace);
        nonce = write::nonce();
    });
    state_->part = write::part_name(shown, state_->ranks.share(nonce));
    state_->ranks.all_do(shown, [&] {
        const auto access = file_access({shown}, state_->ranks.get());
        state_->file = hdf5::File(checked({shown}, "write", advice, [&] {
            return H5Fcreate(state_->part.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, access.get());
        }));
        hdf5::write_attributes({shown}, state_->file.get(), options.attributes);
        for (const NewColumn& column : state_->columns) {
            const Subject subject{shown, column.name};
            const std::uint64_t chunk =
                std::max<std::uint64_t>(std::min(choose_chunk(column).rows, rows), 1);
            const auto creation = hdf5::creation_properties(subject, column, chunk);
            const auto links = hdf5::link_properties(subject);
            const auto space = hdf5::rows_space(subject, column, rows, /*may_grow=*/false);
            hdf5::Type type = hdf5::stored_type(subject, column.type, column.string_bytes);
            hdf5::Dataset dataset(checked(subject, "make", advice, [&] {
                return H5Dcreate2(state_->file.get(),
                                  column.name.c_str(),
                                  type.get(),
                                  space.get(),
                                  links.get(),
                                  creation.get(),
                                  H5P_DEFAULT);
            }));
            hdf5::write_attributes(subject, dataset.get(), column.attributes);
            state_->types.push_back(std::move(type));
            state_->datasets.push_back(std::move(dataset));
        }
    });
}

ParallelFileWriter::~ParallelFileWriter() {
    if (!state_->part.empty()) {
        state_->datasets.clear();
        state_->file = {};
        if (state_->ranks.is_first()) {
            std::error_code ignored;
            fs::remove(state_->part, ignored);
        }
    }
}

bool ParallelFileWriter::is_collective() const {
    return state_->is_collective;
}

void ParallelFileWriter::write(std::uint64_t first_row, std::span<const ColumnBlock> blocks) {
    const std::string shown = state_->path.string();
    const auto order = write::fitting(shown, state_->columns, blocks);
    const std::uint64_t count = write::rows_of(state_->columns.front(), blocks[order.front()]);
    if (count > state_->rows || first_row > state_->rows - count) {
        throw UsageError(fmt::format("'{}': rows {} to {} do not exist; it was begun with {} rows",
                                     shown,
                                     first_row,
                                     first_row + count - 1,
                                     state_->rows));
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
        const NewColumn& column = state_->columns[i];
        const Subject subject{shown, column.name};
        const auto list = transfer(subject, state_->is_collective);
        const auto memory = hdf5::rows_space(subject, column, count, /*may_grow=*/false);
        const hdf5::Space space(checked(
            subject, "write", advice, [&] { return H5Dget_space(state_->datasets[i].get()); }));
        if (count == 0) { // takes part, with nothing
            checked(subject, "write", advice, [&] { return H5Sselect_none(space.get()); });
            checked(subject, "write", advice, [&] { return H5Sselect_none(memory.get()); });
        } else {
            std::vector<hsize_t> start{first_row};
            start.resize(1 + column.row_shape.size(), 0);
            std::vector<hsize_t> shape{count};
            shape.insert(shape.end(), column.row_shape.begin(), column.row_shape.end());
            checked(subject, "write", advice, [&] {
                return H5Sselect_hyperslab(
                    space.get(), H5S_SELECT_SET, start.data(), nullptr, shape.data(), nullptr);
            });
        }
        checked(subject, "write", advice, [&] {
            return H5Dwrite(state_->datasets[i].get(),
                            state_->types[i].get(),
                            memory.get(),
                            space.get(),
                            list.get(),
                            blocks[order[i]].values);
        });
    }
}

void ParallelFileWriter::finish() {
    const std::string shown = state_->path.string();
    if (state_->part.empty()) {
        throw UsageError(fmt::format("'{}' was finished already", shown));
    }
    state_->ranks.all_do(shown, [&] {
        for (hdf5::Dataset& dataset : state_->datasets) {
            const hid_t id = dataset.release();
            checked({shown}, "close", advice, [&] { return H5Dclose(id); });
        }
        const hid_t id = state_->file.release();
        checked({shown}, "close", advice, [&] { return H5Fclose(id); });
    });
    state_->ranks.first_does([&] {
        write::sync(state_->part, shown);
        write::put_in_place(state_->part, state_->path, shown, state_->may_replace);
    });
    state_->part.clear();
}

} // namespace muster::data
