#pragma once

#include <muster/data/batch_loader.hpp>
#include <muster/data/table.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace digits {

/// What the images are for.
enum class Part { training, validation, training_and_validation, test };

/// Images and their labels, in memory: rows of `pixels` values in [0, 1].
struct Images {
    std::vector<float> images;
    std::vector<std::uint8_t> labels;
};

/// The digits of one file, split by a seed into 70 % for training, 10 % for validation and 20 %
/// for test, each with the same share of every label. May be used from any thread.
class DigitsData {
public:
    /// The data of a file and seed, opened once per process: tasks of many trials share it.
    /// Throws muster::Error for a file that is missing, damaged, or not of digits.
    static std::shared_ptr<const DigitsData> open(const std::string& file, std::uint64_t seed);

    DigitsData(const std::string& file, std::uint64_t seed);

    /// Rows of the table that belong to a part, ascending.
    [[nodiscard]] const std::vector<std::uint64_t>& rows(Part part) const;

    /// This shard's piece of a part, for judging a network; by default all of it.
    [[nodiscard]] Images read(Part part, muster::data::Shard shard = {}) const;

    /// Batches of a part, shuffled over all of it, for training. The batches are the same for any
    /// number of shards; each has its piece of every one.
    [[nodiscard]] muster::data::BatchLoader
    batches(Part part, int batch_size, std::uint64_t seed, muster::data::Shard shard = {}) const;

private:
    muster::data::Table table_;
    std::vector<std::vector<std::uint64_t>> rows_; ///< By Part.
};

/// The images of a batch, scaled to [0, 1].
void take_images(const muster::data::Batch& batch, Images& images);

} // namespace digits
