#pragma once

#include <muster/pipeline/block.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace muster::data {

/// One row of a block, read where it lies: what functions of map, filter and flat_map are given.
/// Refers to its block. Errors as Block's.
class Row {
public:
    Row(const Block& block, std::uint64_t index) : block_(&block), index_(index) {}

    /// Its only value in a column of exactly this type; of text a std::string_view.
    template <class T>
    [[nodiscard]] T get(std::string_view column) const {
        if constexpr (value_type_of<T>() == ValueType::text) {
            return T(block_->texts(column)[index_]);
        } else {
            const auto values = block_->column<T>(column);
            if (values.size() != block_->rows()) {
                throw_not_single(column);
            }
            return values[index_];
        }
    }

    /// All its values in a column.
    template <class T>
    [[nodiscard]] std::span<const T> values(std::string_view column) const {
        const auto all = block_->column<T>(column);
        const std::uint64_t width = all.size() / block_->rows();
        return all.subspan(index_ * width, width);
    }

    [[nodiscard]] const Block& block() const { return *block_; }

    [[nodiscard]] std::uint64_t index() const { return index_; }

private:
    [[noreturn]] void throw_not_single(std::string_view column) const;

    const Block* block_;
    std::uint64_t index_;
};

/// Rows that are being made, one after another. All have the same columns, with the same types and
/// shapes: those that the first one was given.
class Rows {
public:
    Rows() = default;

    /// Begins another row. @throws Error (usage) if the last one lacks a column.
    Rows& add();

    /// The last row's value of a column: a number, bool, complex number or text.
    template <class T>
    Rows& set(std::string_view column, const T& value) {
        if constexpr (value_type_of<T>() == ValueType::text) {
            set_text(column, std::string_view(value));
        } else {
            set_bytes(column, value_type_of<T>(), {}, std::as_bytes(std::span(&value, 1)));
        }
        return *this;
    }

    /// Several values, as one of shape {values.size()} or of `shape`.
    template <class T>
    Rows&
    set(std::string_view column, std::span<const T> values, std::vector<std::uint64_t> shape = {}) {
        if (shape.empty()) {
            shape = {values.size()};
        }
        set_bytes(column, value_type_of<T>(), shape, std::as_bytes(values));
        return *this;
    }

    /// Sets all columns of another row; those set already are an error.
    Rows& keep(const Row& row);

    [[nodiscard]] std::uint64_t size() const { return rows_; }

    /// The rows as a block; of no rows a block without columns.
    [[nodiscard]] Block finish();

private:
    struct Column {
        Field field;
        std::vector<std::byte> values;
        std::vector<std::uint64_t> offsets; ///< Of text.
        std::uint64_t rows = 0;
    };

    Column& next(std::string_view name, ValueType type, const std::vector<std::uint64_t>& shape);
    void set_bytes(std::string_view column,
                   ValueType type,
                   const std::vector<std::uint64_t>& shape,
                   std::span<const std::byte> bytes);
    void set_text(std::string_view column, std::string_view text);
    void check_last() const;

    std::vector<Column> columns_;
    std::uint64_t rows_ = 0;
    std::size_t expected_ = 0; ///< The column that is probably set next.
};

/// The one row that map()'s function makes of a row.
class NewRow {
public:
    explicit NewRow(Rows& rows) : rows_(&rows) {}

    template <class T>
    NewRow& set(std::string_view column, const T& value) {
        rows_->set(column, value);
        return *this;
    }

    template <class T>
    NewRow&
    set(std::string_view column, std::span<const T> values, std::vector<std::uint64_t> shape = {}) {
        rows_->set(column, values, std::move(shape));
        return *this;
    }

    /// All columns of the row it is made of.
    NewRow& keep(const Row& row) {
        rows_->keep(row);
        return *this;
    }

private:
    Rows* rows_;
};

} // namespace muster::data
