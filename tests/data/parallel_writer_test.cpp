// One file written by all ranks: every row is there once, with filters and without, also where a
// rank has none; what is refused is refused on all ranks.

#include <muster/base/error.hpp>
#include <muster/data/parallel_writer.hpp>

#include <hdf5.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

namespace {

namespace data = muster::data;
namespace fs = std::filesystem;

int rank = 0;
int world = 1;

void expect(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "rank %d: not so: %s\n", rank, what);
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
}

/// Rows are dealt in pieces of different sizes; the last rank of several gets none.
void write_file(const fs::path& path, data::Compression compression) {
    constexpr std::uint64_t rows = 1000;
    data::NewColumn x = data::new_column<float>("group/x", {3}, compression);
    x.chunk_rows = 64;
    data::ParallelFileWriter writer(
        MPI_COMM_WORLD, path, rows, {x, data::new_column<std::int64_t>("y", {}, compression)});
    expect(writer.is_collective() == (compression != data::Compression{}),
           "filters are collective");
    expect(!fs::exists(path), "nothing is visible");
    const auto writers = static_cast<std::uint64_t>(world > 1 ? world - 1 : 1);
    const auto me = static_cast<std::uint64_t>(rank);
    const std::uint64_t first = me < writers ? rows * me / writers : 0;
    const std::uint64_t last = me < writers ? rows * (me + 1) / writers : 0;
    const std::uint64_t middle = first + (last - first) / 3;
    for (const auto& [from, to] : {std::pair{first, middle}, std::pair{middle, last}}) {
        std::vector<float> values(3 * (to - from));
        std::iota(values.begin(), values.end(), static_cast<float>(3 * from));
        std::vector<std::int64_t> labels(to - from);
        std::iota(labels.begin(), labels.end(), static_cast<std::int64_t>(from));
        const std::vector blocks{data::block("y", labels), data::block("group/x", values)};
        writer.write(from, blocks);
    }
    writer.finish();
}

void check_file(const fs::path& path) {
    const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
    expect(file >= 0, "the file opens");
    std::vector<float> values(3000);
    std::vector<long long> labels(1000);
    const hid_t x = H5Dopen2(file, "group/x", H5P_DEFAULT);
    const hid_t y = H5Dopen2(file, "y", H5P_DEFAULT);
    expect(H5Dread(x, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0,
           "x is read");
    expect(H5Dread(y, H5T_NATIVE_LLONG, H5S_ALL, H5S_ALL, H5P_DEFAULT, labels.data()) >= 0,
           "y is read");
    for (std::size_t i = 0; i < values.size(); ++i) {
        expect(values[i] == static_cast<float>(i), "a value of x is where it belongs");
    }
    for (std::size_t i = 0; i < labels.size(); ++i) {
        expect(labels[i] == static_cast<long long>(i), "a value of y is where it belongs");
    }
    H5Dclose(x);
    H5Dclose(y);
    H5Fclose(file);
}

template <class Call>
bool throws(const Call& call) {
    try {
        call();
    } catch (const muster::Error&) {
        return true;
    }
    return false;
}

void refuse(const fs::path& folder) {
    const auto begin = [](const fs::path& path, data::NewColumn column) {
        data::ParallelFileWriter writer(MPI_COMM_WORLD, path, 1, {column});
    };
    expect(throws([&] { begin(folder / "plain.h5", data::new_column<float>("x")); }), "it exists");
    expect(throws([&] { begin(folder / "none" / "x.h5", data::new_column<float>("x")); }),
           "no folder");
    expect(throws([&] { begin(folder / "x.h5", data::new_column<std::string>("x")); }), "text");
    begin(folder / "x.h5", data::new_column<float>("x")); // and is not finished
    MPI_Barrier(MPI_COMM_WORLD);
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
        files += entry.is_regular_file() ? 1U : 0U;
    }
    expect(files == 2, "nothing is left of those that were not finished");
}

} // namespace

int main(int argc, char** argv) {
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &world);
    char name[] = "/tmp/muster-parallel-XXXXXX";
    const bool keeps = argc > 1; // the files, in the folder that was named
    if (rank == 0 && !keeps) {
        expect(::mkdtemp(name) != nullptr, "a folder is made");
    }
    MPI_Bcast(name, sizeof name, MPI_CHAR, 0, MPI_COMM_WORLD);
    const fs::path folder = keeps ? argv[1] : name;
    write_file(folder / "plain.h5", {});
    write_file(folder / "packed.h5",
               {.codec = data::Codec::deflate, .shuffle = true, .fletcher32 = true});
    if (rank == 0) {
        check_file(folder / "plain.h5");
        check_file(folder / "packed.h5");
    }
    MPI_Barrier(MPI_COMM_WORLD);
    refuse(folder);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0 && !keeps) {
        fs::remove_all(folder);
    }
    MPI_Finalize();
    return 0;
}
