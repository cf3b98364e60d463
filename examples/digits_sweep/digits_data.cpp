#include "digits_sweep/digits_data.hpp"

#include "digits_sweep/config.hpp"

#include <muster/base/error.hpp>
#include <muster/data/split.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <utility>

namespace digits {
namespace {

using muster::data::column;
using muster::data::Table;

/// The 5,000 images are 4 MB as stored; of a file too large for this, chunks are decoded again.
constexpr std::uint64_t memory_bytes_max = 64U << 20U;

/// Below this, some part of the split would be empty.
constexpr std::uint64_t rows_min = 10;

std::vector<muster::data::ColumnSpec> columns() {
    return {column<float>("images", {{28, 28}}), column<std::uint8_t>("labels", {{}})};
}

Table open_table(const std::string& file) {
    return Table::open(file, {.columns = columns(), .memory_bytes_max = memory_bytes_max});
}

std::vector<std::int64_t> checked_labels(const Table& table) {
    std::vector<std::int64_t> labels(table.rows());
    table.read_rows("labels", 0, table.rows(), std::span(labels));
    if (labels.size() < rows_min) {
        throw muster::Error(fmt::format("'{}' has {} images; at least {} are needed to train, "
                                        "validate and test on, so name a larger file",
                                        table.file(),
                                        labels.size(),
                                        rows_min));
    }
    const auto wrong = std::find_if(
        labels.begin(), labels.end(), [](std::int64_t label) { return label >= classes; });
    if (wrong != labels.end()) {
        throw muster::Error(fmt::format("'{}': row {} of dataset 'labels' is {}, which is not a "
                                        "digit; labels are 0 to 9",
                                        table.file(),
                                        wrong - labels.begin(),
                                        *wrong));
    }
    return labels;
}

} // namespace

std::shared_ptr<const DigitsData> DigitsData::open(const std::string& file, std::uint64_t seed) {
    using Key = std::pair<std::string, std::uint64_t>;
    static std::mutex mutex; // guards `opened`; held while opening, so that it happens once
    static std::map<Key, std::shared_ptr<const DigitsData>> opened;
    const std::lock_guard lock(mutex);
    const auto found = opened.find({file, seed});
    if (found != opened.end()) {
        return found->second;
    }
    auto data = std::make_shared<const DigitsData>(file, seed);
    opened.emplace(Key{file, seed}, data);
    return data;
}

DigitsData::DigitsData(const std::string& file, std::uint64_t seed) : table_(open_table(file)) {
    const std::vector<std::int64_t> labels = checked_labels(table_);
    const std::uint64_t training = labels.size() * 7 / 10;
    const std::uint64_t validation = labels.size() / 10;
    const std::vector<muster::data::PartSize> sizes{
        {"training", training},
        {"validation", validation},
        {"test", labels.size() - training - validation}};
    std::vector<muster::data::Part> parts = muster::data::stratified_split(labels, sizes, seed);
    std::vector<std::uint64_t> both;
    std::merge(parts[0].rows.begin(),
               parts[0].rows.end(),
               parts[1].rows.begin(),
               parts[1].rows.end(),
               std::back_inserter(both));
    rows_ = {std::move(parts[0].rows),
             std::move(parts[1].rows),
             std::move(both),
             std::move(parts[2].rows)};
}

const std::vector<std::uint64_t>& DigitsData::rows(Part part) const {
    return rows_[static_cast<std::size_t>(part)];
}

Images DigitsData::read(Part part, muster::data::Shard shard) const {
    const auto one_batch = static_cast<int>(rows(part).size());
    Images images;
    take_images(batches(part, one_batch, 0, shard).read(0), images);
    return images;
}

muster::data::BatchLoader DigitsData::batches(Part part,
                                              int batch_size,
                                              std::uint64_t seed,
                                              muster::data::Shard shard) const {
    return {table_,
            columns(),
            // No thread reads ahead: trials fill the cores, and the images are in memory.
            {.rows = rows(part),
             .batch_size = static_cast<std::uint64_t>(batch_size),
             .seed = seed,
             .shard = shard,
             .threads = 0}};
}

void take_images(const muster::data::Batch& batch, Images& images) {
    const auto values = batch.column<float>("images");
    const auto labels = batch.column<std::uint8_t>("labels");
    images.images.resize(values.size());
    std::transform(values.begin(), values.end(), images.images.begin(), [](float value) {
        return value * (1.0F / 255.0F);
    });
    images.labels.assign(labels.begin(), labels.end());
}

} // namespace digits
