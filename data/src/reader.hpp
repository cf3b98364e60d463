#pragma once

#include "block_cache.hpp"
#include "catalog.hpp"
#include "file_set.hpp"
#include "filters/filter_pipeline.hpp"

#include <muster/data/table.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace muster::data {

/// Reads rows of the columns of a catalog: the bytes by pread(), outside HDF5 and its lock. Calls
/// from any thread, with arguments that Table has checked.
///
/// A dataset is read in one of three ways:
/// - *by row*: rows that lie in the file as they are (contiguous, or in chunks without filters that
///   have whole rows), in a column that is too large to be kept in memory;
/// - *by block*: blocks are read, and decoded where they are filtered, and kept in a cache of
/// limited
///   size. A block is so many whole rows of chunks that it is worth its place: 256 KiB, or 1 MiB of
///   what is not filtered, or one chunk;
/// - *by HDF5*: what neither is possible for (compact, external and virtual storage, filters
/// unknown
///   here), one call at a time.
class Reader {
public:
    Reader(Catalog catalog, const TableOptions& options);

    [[nodiscard]] const Catalog& catalog() const { return catalog_; }

    /// Rows [first, first + count) as `as`; out has room for them.
    void read_rows(std::size_t column,
                   std::uint64_t first,
                   std::uint64_t count,
                   ElementType as,
                   std::byte* out);

    /// These rows in this order.
    /// @param by_block  Read whole blocks even of what can be read by row: the others of the block
    /// are
    ///                  about to be asked for.
    void gather(std::size_t column,
                std::span<const std::uint64_t> rows,
                ElementType as,
                std::byte* out,
                bool by_block);

    void read_strings(std::size_t column,
                      std::uint64_t first,
                      std::uint64_t count,
                      std::vector<std::string>& out);

    /// Decodes the block that `row` is in, unless it is in the cache or on its way there.
    void load_block(std::size_t column, std::uint64_t row);

    /// Where the blocks of a column begin: rows in ascending order, 0 first. Depends on how the
    /// column is stored, not on options.
    [[nodiscard]] std::vector<std::uint64_t> block_starts(std::size_t column) const;

    [[nodiscard]] ReadStatistics statistics() const;

    /// Of one slot of the cache.
    [[nodiscard]] std::uint64_t slot_bytes() const { return slot_bytes_; }

    [[nodiscard]] std::uint64_t cache_bytes_max() const { return cache_bytes_max_; }

    [[nodiscard]] const std::shared_ptr<BlockCache>& cache() const { return cache_; }

    /// Before any read.
    void use_cache(std::shared_ptr<BlockCache> cache) { cache_ = std::move(cache); }

private:
    enum class Way : std::uint8_t { row, block, hdf5 };

    /// What reading a dataset takes, worked out once.
    struct Plan {
        Way way = Way::hdf5;
        bool has_blocks = false; ///< Whether it can be read by block, whatever its way.
        std::uint64_t row_bytes = 0;
        std::uint64_t block_rows = 1;
        std::uint64_t chunk_rows = 0;
        std::uint64_t chunk_bytes = 0; ///< Decoded, also at the edge.
        std::uint64_t row_chunks = 1;  ///< Chunks side by side that make a row.
        bool has_whole_rows = false;   ///< A chunk is rows as they are.
        std::optional<FilterPipeline> pipeline;
    };

    struct Item;
    struct Workspace;

    void plan(std::size_t dataset, std::uint64_t column_bytes);
    [[nodiscard]] std::uint64_t block_key(std::size_t dataset, std::uint64_t block) const;
    [[nodiscard]] std::shared_ptr<const FileSet::Descriptor> open(std::size_t dataset);

    void read_range(std::size_t dataset,
                    std::uint64_t row,
                    std::uint64_t count,
                    ElementType as,
                    std::byte* out,
                    const FileSet::Descriptor& descriptor,
                    std::vector<std::byte>& scratch);
    /// @param places  Rows in the output.
    void gather_by_row(std::span<const Item> items,
                       ElementType as,
                       std::byte* out,
                       std::uint64_t out_row_bytes,
                       std::size_t places);
    void gather_by_block(std::vector<Item>& items,
                         ElementType as,
                         std::byte* out,
                         std::uint64_t out_row_bytes);
    void copy_items(std::span<const Item> items,
                    std::uint64_t block,
                    const std::byte* bytes,
                    ElementType as,
                    std::byte* out,
                    std::uint64_t out_row_bytes) const;
    void read_by_hdf5(std::size_t dataset,
                      std::uint64_t row,
                      std::uint64_t count,
                      ElementType as,
                      std::byte* out);
    /// Fills the decoded bytes of a block.
    void decode_block(std::size_t dataset, std::uint64_t block, std::byte* out);
    /// False where the block is in the cache already.
    bool decode_unless_ready(std::size_t dataset, std::uint64_t block, std::byte* out);
    void decode_chunk_row(std::size_t dataset,
                          const FileSet::Descriptor& descriptor,
                          std::uint64_t chunk_row,
                          std::uint64_t rows,
                          std::byte* out);
    void read_chunk(std::size_t dataset,
                    const FileSet::Descriptor& descriptor,
                    std::size_t chunk,
                    std::span<std::byte> out);
    void fill(const StoredDataset& dataset, std::byte* out, std::uint64_t bytes) const;
    [[nodiscard]] std::uint64_t
    row_address(std::size_t dataset, std::uint64_t row, std::uint64_t& rows_after) const;
    [[nodiscard]] std::shared_ptr<Hdf5Rows> hdf5_rows(std::size_t dataset);

    Catalog catalog_;
    FileSet files_;
    std::uint64_t cache_bytes_max_;
    std::vector<Plan> plans_; ///< Of each dataset.
    std::uint64_t slot_bytes_ = 0;
    std::shared_ptr<BlockCache> cache_;

    std::mutex hdf5_mutex_; ///< Guards what follows: datasets open in HDF5, the latest used first.
    std::list<std::pair<std::size_t, std::shared_ptr<Hdf5Rows>>> hdf5_open_;

    std::atomic<std::uint64_t> bytes_read_{0};
    std::atomic<std::uint64_t> reads_{0};
    std::atomic<std::uint64_t> chunks_decoded_{0};
};

} // namespace muster::data
