// Tasks write shards of one table, each on its own; one commit makes them a table, at once. Shards
// may have any number of rows, also none, and a task that is tried again disturbs nobody.

#include <muster/core/muster.hpp>
#include <muster/data/table.hpp>
#include <muster/data/writer.hpp>

#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

namespace data = muster::data;

/// The multiples of a number below a thousand.
data::ShardSummary write_multiples(const std::string& path, std::uint32_t shard) {
    data::ShardWriter writer(path, shard, {data::new_column<std::int32_t>("multiples")});
    std::vector<std::int32_t> values;
    const auto of = static_cast<std::int32_t>(shard + 2);
    for (std::int32_t value = of; value < 1000; value += of) {
        values.push_back(value);
    }
    writer.append({data::block("multiples", values)});
    return writer.finish();
}

int main(int argc, char** argv) {
    return muster::run(argc, argv, [] {
        // A folder that all ranks see.
        const auto folder = std::filesystem::temp_directory_path() /
                            ("muster-write-shards-" + std::to_string(::getpid()));
        std::filesystem::create_directory(folder);
        const std::string path = folder / "multiples.h5";

        std::vector<muster::Future<data::ShardSummary>> shards;
        for (std::uint32_t shard = 0; shard < 10; ++shard) {
            shards.push_back(muster::task<&write_multiples>(path, shard));
        }
        std::vector<data::ShardSummary> summaries;
        for (auto& shard : shards) {
            summaries.push_back(shard.get());
        }
        const data::Committed committed = data::commit(path, summaries);

        const data::Table table = data::Table::open(path);
        std::vector<std::int32_t> values(table.rows());
        table.read_rows("multiples", 0, table.rows(), std::span(values));
        std::cout << committed.rows << " multiples, the last " << values.back() << ", together "
                  << std::accumulate(values.begin(), values.end(), 0) << '\n';
        std::filesystem::remove_all(folder);
    });
}
