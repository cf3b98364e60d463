#pragma once

#include <muster/data/array_file.hpp>
#include <muster/train/fit_plan.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace muster::train {

/// What is to be saved: views of a program's memory, and notes. Everything that decides how
/// training goes on belongs here: parameters, the optimizer's moments, the states of generators and
/// schedules. The loader's is the step (data::BatchOptions::first_step).
///
///     const State state = State(step)
///                             .array("weights", std::span<const float>(weights), {784, 64})
///                             .array("momentum", std::span<const float>(momentum), {784, 64})
///                             .note("learning_rate", 0.1);
///
/// All ranks name the same arrays. Those that are equal on all are array()s, and rank 0 writes
/// them; of those that ranks share out each rank names its piece, and writes it. Memory stays the
/// caller's and is read by the save alone.
class State {
public:
    /// An array, or this rank's piece of one; borrowed.
    struct Entry {
        data::ArrayPiece piece;
        std::span<const std::byte> values;
        bool is_sharded = false;
    };

    explicit State(std::uint64_t step) : step_(step) {}

    /// @param shape  Its axes; without, one axis.
    template <class T>
    State&
    array(std::string name, std::span<const T> values, std::vector<std::uint64_t> shape = {}) {
        if (shape.empty()) {
            shape = {values.size()};
        }
        data::ArrayInfo info{std::move(name), data::element_type_of<T>(), std::move(shape)};
        data::Slab all = data::whole(info);
        entries_.push_back({{std::move(info), std::move(all)}, std::as_bytes(values), false});
        return *this;
    }

    /// This rank's piece of an array. Also a rank without any calls it, with an empty one.
    /// @param shape  Of the whole array.
    template <class T>
    State& slab(std::string name,
                std::span<const T> values,
                std::vector<std::uint64_t> shape,
                data::Slab slab) {
        data::ArrayInfo info{std::move(name), data::element_type_of<T>(), std::move(shape)};
        entries_.push_back({{std::move(info), std::move(slab)}, std::as_bytes(values), true});
        is_sharded_ = true;
        return *this;
    }

    /// Bytes that mean something to the caller alone: kept as an array of uint8.
    State& bytes(std::string name, std::span<const std::byte> values) {
        return array(
            std::move(name),
            std::span(reinterpret_cast<const std::uint8_t*>(values.data()), values.size()));
    }

    /// A number, a text, or a short list of them. Rank 0's are kept.
    State& note(std::string name, decltype(data::Attribute::value) value) {
        notes_.push_back({std::move(name), std::move(value)});
        return *this;
    }

    [[nodiscard]] std::uint64_t step() const { return step_; }

    [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

    [[nodiscard]] const std::vector<data::Attribute>& notes() const { return notes_; }

    [[nodiscard]] bool is_sharded() const { return is_sharded_; }

private:
    std::uint64_t step_;
    std::vector<Entry> entries_;
    std::vector<data::Attribute> notes_;
    bool is_sharded_ = false;
};

/// A checkpoint on disk, open for reading: on any number of ranks, any slab of any array. Any
/// thread; a copy is a handle of the same. Errors are muster::Error, and name file and array.
class Checkpoint {
public:
    /// Reads headers only.
    /// @throws Error if it is missing, damaged, or of a format that this version does not know.
    explicit Checkpoint(const std::filesystem::path& path);

    [[nodiscard]] std::uint64_t step() const { return step_; } ///< Steps that were done.

    [[nodiscard]] const Metrics& metrics() const { return metrics_; } ///< Reported with it.

    [[nodiscard]] const data::ArrayFile& file() const { return file_; }

    /// Reads an array of `out`'s size and type; its checksum is compared.
    template <class T>
    void read(std::string_view name, std::span<T> out) const {
        file_.read(name, out);
    }

    /// Reads a slab, row-major, of an array that any number of ranks has written.
    template <class T>
    void read(std::string_view name, const data::Slab& slab, std::span<T> out) const {
        file_.read(name, slab, out);
    }

    [[nodiscard]] std::vector<std::byte> bytes(std::string_view name) const;

    /// T is std::int64_t, double, std::string or a vector of them.
    /// @throws Error if there is no such note, or it is of another type.
    template <class T>
    [[nodiscard]] T note(std::string_view name) const {
        const data::Attribute& found = find_note(name);
        if (const T* const value = std::get_if<T>(&found.value)) {
            return *value;
        }
        refuse_note(name);
    }

    /// Compares everything with its checksum; reads the whole file.
    void verify() const { file_.verify(); }

private:
    [[nodiscard]] const data::Attribute& find_note(std::string_view name) const;
    [[noreturn]] void refuse_note(std::string_view name) const;

    data::ArrayFile file_;
    std::uint64_t step_ = 0;
    Metrics metrics_;
};

/// "step-000000001200.h5", in the folder.
[[nodiscard]] std::filesystem::path checkpoint_path(const std::filesystem::path& folder,
                                                    std::uint64_t step);

/// The checkpoints in a folder that can be opened, in order of step. Those that cannot are named on
/// standard error.
[[nodiscard]] std::vector<SavedCheckpoint> find_checkpoints(const std::filesystem::path& folder);

} // namespace muster::train
