#pragma once

#include <muster/base/error.hpp>
#include <muster/core/buffer.hpp>
#include <muster/core/serialize.hpp>
#include <muster/pipeline/value_type.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::data {

/// A text column, read where it lies: refers to its block, which must outlive it.
class Texts {
public:
    Texts(const std::uint64_t* offsets, const char* characters, std::uint64_t size)
        : offsets_(offsets), characters_(characters), size_(size) {}

    [[nodiscard]] std::uint64_t size() const { return size_; }

    std::string_view operator[](std::uint64_t row) const {
        return {characters_ + offsets_[row], offsets_[row + 1] - offsets_[row]};
    }

    /// Of all rows together.
    [[nodiscard]] std::uint64_t characters() const {
        return size_ == 0 ? 0 : offsets_[size_] - offsets_[0];
    }

private:
    const std::uint64_t* offsets_; ///< size + 1 of them; the first need not be 0.
    const char* characters_;
    std::uint64_t size_;
};

/// Some rows of named columns: what pipelines are made of.
///
/// A value that nobody changes: copying it copies pointers, and so do slice(), select(), drop(),
/// rename() and adopt(). As the result or argument of a task it is read where it lies, in memory
/// that the ranks of a node share; columns are contiguous, row-major, and begin at multiples of 64
/// bytes where a block was made (a slice begins where its first row lies).
///
/// Errors (usage) name the column, and the columns there are. Threads: as a const container.
class Block {
public:
    Block() = default;

    [[nodiscard]] std::uint64_t rows() const { return rows_; }

    [[nodiscard]] const std::vector<Field>& fields() const { return fields_; }

    /// Where the column is among fields(). @throws Error (usage) if there is none of that name.
    [[nodiscard]] std::size_t index_of(std::string_view name) const;

    [[nodiscard]] bool has(std::string_view name) const;

    [[nodiscard]] const Field& field(std::string_view name) const {
        return fields_[index_of(name)];
    }

    /// All values of a column, row after row: rows() * elements() of them, of exactly its type.
    /// @throws Error (usage) if it is of another type.
    template <class T>
    [[nodiscard]] std::span<const T> column(std::string_view name) const {
        const std::size_t index = checked(name, value_type_of<T>());
        return {reinterpret_cast<const T*>(values(index).data()),
                rows_ * fields_[index].elements()};
    }

    [[nodiscard]] Texts texts(std::string_view name) const {
        return texts_at(checked(name, ValueType::text));
    }

    /// Adds a column; its rows are counted from the values. Copies them.
    /// @throws Error (usage) for a name that is there, or another number of rows.
    template <class T>
    Block&
    add(std::string name, const std::vector<T>& values, std::vector<std::uint64_t> shape = {}) {
        if constexpr (value_type_of<T>() == ValueType::text) {
            std::vector<std::string_view> views(values.begin(), values.end());
            add_texts(std::move(name), views);
        } else if constexpr (std::is_same_v<T, bool>) {
            const std::vector<std::uint8_t> bytes(values.begin(), values.end());
            add_bytes({std::move(name), ValueType::boolean, std::move(shape)},
                      std::as_bytes(std::span(bytes)));
        } else {
            add_bytes({std::move(name), value_type_of<T>(), std::move(shape)},
                      std::as_bytes(std::span(values)));
        }
        return *this;
    }

    /// Adds another block's column, sharing its memory.
    Block& adopt(const Block& other, std::string_view column);

    /// Rows [first, first + count), which must be there.
    [[nodiscard]] Block slice(std::uint64_t first, std::uint64_t count) const;
    /// These columns, in this order.
    [[nodiscard]] Block select(const std::vector<std::string>& names) const;
    [[nodiscard]] Block drop(const std::vector<std::string>& names) const;
    [[nodiscard]] Block rename(std::string_view from, std::string to) const;

    /// Of all values.
    [[nodiscard]] std::uint64_t size_bytes() const;

    // What the library is built from.

    [[nodiscard]] std::span<const std::byte> values(std::size_t index) const;
    [[nodiscard]] Texts texts_at(std::size_t index) const;

    /// Row numbers at which parts of the block begin, and rows() at the end; empty if it has none.
    [[nodiscard]] const std::vector<std::uint64_t>& marks() const { return marks_; }

    /// Its encoding, where values of tasks are kept; no copy if NewBlock made it there.
    [[nodiscard]] Buffer muster_encoding() const;

    friend void muster_encode(muster::Writer& writer, const Block& block);
    friend void muster_decode(muster::Reader& reader, Block& block);

private:
    friend class NewBlock;

    struct Values {
        Buffer bytes;   ///< Of text: its characters.
        Buffer offsets; ///< Of text: rows + 1 of std::uint64_t.
        bool operator==(const Values&) const = default;
    };

    [[nodiscard]] std::size_t checked(std::string_view name, ValueType type) const;
    void add_bytes(Field field, std::span<const std::byte> bytes);
    void add_texts(std::string name, std::span<const std::string_view> texts);
    void append(Field field, std::uint64_t rows, Values values);

    std::vector<Field> fields_;
    std::uint64_t rows_ = 0;
    std::vector<Values> values_;
    std::vector<std::uint64_t> marks_;
    Buffer encoded_; ///< Of exactly this block, if there is one.
};

/// A block that is being filled, in the memory in which results of tasks are kept: what a task
/// makes with it is copied nowhere.
///
///     Block plus_one(const Block& in) {
///         NewBlock out(in.fields(), in.rows());
///         std::ranges::transform(in.column<float>("x"), out.column<float>("x").begin(), …);
///         return std::move(out).finish();
///     }
///
/// Values are not set to anything at first. Text columns are added to the finished block.
/// Threads: one writer per column.
class NewBlock {
public:
    /// @throws Error (usage) for two columns of one name, and for text columns.
    NewBlock(std::vector<Field> fields, std::uint64_t rows)
        : NewBlock(std::move(fields), rows, {}, {}) {}

    /// Private to the library: with text columns of so many characters each, in order.
    NewBlock(std::vector<Field> fields,
             std::uint64_t rows,
             const std::vector<std::uint64_t>& text_bytes,
             std::vector<std::uint64_t> marks);

    [[nodiscard]] std::uint64_t rows() const { return block_.rows_; }

    /// As Block::column(), to be written.
    template <class T>
    [[nodiscard]] std::span<T> column(std::string_view name) {
        const auto values = block_.column<T>(name);
        return {const_cast<T*>(values.data()), values.size()};
    }

    // What the library is built from.

    [[nodiscard]] std::byte* values(std::size_t index) {
        return const_cast<std::byte*>(block_.values_[index].bytes.bytes().data());
    }

    [[nodiscard]] std::uint64_t* offsets(std::size_t index) {
        return reinterpret_cast<std::uint64_t*>(
            const_cast<std::byte*>(block_.values_[index].offsets.bytes().data()));
    }

    [[nodiscard]] Block finish() && { return std::move(block_); }

private:
    Block block_;
};

} // namespace muster::data
