#pragma once

#include <muster/data/writer.hpp>

#include <mpi.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

namespace muster::data {

/// One HDF5 file that all ranks of a communicator write at once, through the parallel build of
/// HDF5: for programs that want a single file, and have a parallel file system. Others take
/// ShardWriter, which needs no messages and survives ranks that are lost.
///
/// In a library of its own, muster::data_parallel, because the serial and the parallel build of
/// HDF5 cannot be in one process: do not link muster::data beside it.
///
///     data::ParallelFileWriter writer(comm, "x.h5", total_rows, {data::new_column<float>("x",
///     {784})}); writer.write(first_row, {{data::block("x", values)}}); writer.finish();
///
/// Readers see nothing of it until finish() has put the whole file in its place, as FileWriter
/// does. Columns as FileWriter's, but for text of any length, which parallel HDF5 cannot write.
///
/// Errors are muster::Error; where all ranks see the same (columns, the path, finish()) all throw.
/// One that fails in write() alone leaves the others in HDF5: end the job. A full disk may, too.
class ParallelFileWriter {
public:
    /// Collective over `comm`, with the same arguments on all ranks.
    /// @param comm  Borrowed; a duplicate of it is used.
    /// @param rows  Of the whole file; those that nobody writes are zeros.
    ParallelFileWriter(MPI_Comm comm,
                       const std::filesystem::path& path,
                       std::uint64_t rows,
                       std::vector<NewColumn> columns,
                       const WriteOptions& options = {});
    ~ParallelFileWriter(); ///< Collective where finish() was not called.
    ParallelFileWriter(const ParallelFileWriter&) = delete;
    ParallelFileWriter& operator=(const ParallelFileWriter&) = delete;

    /// Writes rows from `first_row` on: one block for each column. No two ranks write the same row.
    ///
    /// Where any column has compression or a checksum it is collective, as HDF5 demands: all ranks
    /// call it equally often, with blocks of no rows where they have none left. Else each rank
    /// calls it as it likes.
    void write(std::uint64_t first_row, std::span<const ColumnBlock> blocks);

    /// Whether write() is collective.
    [[nodiscard]] bool is_collective() const;

    /// Closes the file and gives it its name. Collective; call once.
    void finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace muster::data
