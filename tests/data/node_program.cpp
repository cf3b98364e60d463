// The members of a gang read the batches of one file, first each for itself, then with the decoded
// chunks shared on their node: every chunk is then decoded once an epoch by one of them. Exit code
// 1 with a sentence if not.

#include "hdf5_fixtures.hpp"

#include <muster/core/muster.hpp>
#include <muster/data/batch_loader.hpp>
#include <muster/data/node_cache.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iostream>
#include <stdexcept>
#include <string>

namespace {

namespace data = muster::data;

constexpr std::uint64_t chunks = 40;
constexpr std::uint64_t chunk_rows = 64;
constexpr std::uint64_t row_values = 1024;
constexpr std::uint64_t rows = chunks * chunk_rows;
constexpr std::uint64_t epochs = 3;

struct Totals {
    std::uint64_t decoded = 0;
    std::uint64_t rows = 0;
    std::uint64_t sum_of_rows = 0;
    std::uint64_t wrong = 0;
};

Totals read_epochs(muster::Communicator& ranks, const std::string& file, bool shares) {
    const std::vector<data::ColumnSpec> columns{data::column<float>("x")};
    const std::uint64_t chunk_bytes = chunk_rows * row_values * sizeof(float);
    // Members are up to a few batches apart, so a third window may be in use.
    data::Table table =
        data::Table::open(file, {.columns = columns, .memory_bytes_max = 14 * chunk_bytes});
    if (shares) {
        table = data::share_on_node(table, ranks);
    }
    data::BatchLoader loader(table,
                             columns,
                             {.batch_size = 48,
                              .seed = 5,
                              .shard = {.rank = static_cast<std::uint32_t>(ranks.rank()),
                                        .world = static_cast<std::uint32_t>(ranks.size())},
                              .order = data::Order::shuffled_by_block,
                              .window_blocks = 4,
                              .threads = 2,
                              .epochs = epochs});
    std::array<std::uint64_t, 3> own{};
    while (const auto batch = loader.next()) {
        const auto values = batch->column<float>("x");
        for (std::size_t i = 0; i < batch->size(); ++i) {
            const std::uint64_t row = batch->rows()[i];
            own[0] += 1;
            own[1] += row;
            const auto is_right = [&](std::uint64_t value) {
                return values[i * row_values + value] ==
                       static_cast<float>((row * row_values + value) % 10);
            };
            own[2] += is_right(0) && is_right(row_values - 1) ? 0U : 1U;
        }
        ranks.barrier(); // as a training step would
    }
    std::array<std::uint64_t, 4> all{table.statistics().chunks_decoded, own[0], own[1], own[2]};
    ranks.all_reduce(std::span<std::uint64_t>(all));
    return {all[0], all[1], all[2], all[3]};
}

void expect(bool is_so, const std::string& what, const Totals& totals) {
    if (!is_so) {
        throw std::runtime_error(what + ": " + std::to_string(totals.decoded) +
                                 " chunks decoded, " + std::to_string(totals.rows) + " rows, " +
                                 std::to_string(totals.wrong) + " wrong");
    }
}

} // namespace

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        muster::test::Hdf5Fixtures files;
        const std::string file = files.write("x.h5",
                                             {{.name = "x",
                                               .shape = {rows, row_values},
                                               .type = data::ElementType::float32,
                                               .chunk = {chunk_rows, row_values}}});
        const int ranks = muster::cluster().ranks;
        const auto members = muster::task<&read_epochs>.with({.ranks = ranks});
        for (const bool shares : {false, true}) {
            const Totals totals = members(file, shares).get().front();
            expect(totals.rows == epochs * rows, "rows came up more or less than once", totals);
            expect(totals.sum_of_rows == epochs * rows * (rows - 1) / 2,
                   "some rows came twice",
                   totals);
            expect(totals.wrong == 0, "values are wrong", totals);
            if (shares) {
                expect(totals.decoded <= epochs * chunks, "chunks were decoded again", totals);
            } else if (ranks > 1) {
                expect(totals.decoded > epochs * chunks, "each decodes for itself", totals);
            }
            std::cout << (shares ? "shared: " : "apart: ") << totals.decoded
                      << " chunks decoded of " << chunks << " in " << epochs << " epochs\n";
        }
    });
}
