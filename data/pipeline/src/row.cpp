#include <muster/pipeline/row.hpp>

#include <fmt/format.h>

namespace muster::data {

void Row::throw_not_single(std::string_view column) const {
    throw Error(fmt::format("column \"{}\" has {} values a row: ask for values(), not get(); the "
                            "columns are: {}",
                            column,
                            block_->field(column).elements(),
                            describe(block_->fields())),
                ErrorCode::usage);
}

Rows& Rows::add() {
    check_last();
    ++rows_;
    expected_ = 0;
    return *this;
}

void Rows::check_last() const {
    for (const Column& column : columns_) {
        if (column.rows != rows_) {
            throw Error(fmt::format("row {} was not given column \"{}\", which earlier ones have",
                                    rows_ - 1,
                                    column.field.name),
                        ErrorCode::usage);
        }
    }
}

Rows::Column&
Rows::next(std::string_view name, ValueType type, const std::vector<std::uint64_t>& shape) {
    if (rows_ == 0) {
        throw Error(
            fmt::format("column \"{}\" is set, and no row was begun: call add() first", name),
            ErrorCode::usage);
    }
    Column* found = nullptr;
    if (expected_ < columns_.size() && columns_[expected_].field.name == name) {
        found = &columns_[expected_];
    } else {
        for (Column& column : columns_) {
            found = column.field.name == name ? &column : found;
        }
    }
    if (found == nullptr) {
        if (rows_ > 1) {
            throw Error(fmt::format("row {} was given column \"{}\", which earlier ones lack",
                                    rows_ - 1,
                                    name),
                        ErrorCode::usage);
        }
        columns_.push_back({{std::string(name), type, shape}, {}, {}, 0});
        if (type == ValueType::text) {
            columns_.back().offsets.push_back(0);
        }
        found = &columns_.back();
    }
    if (found->field.type != type || found->field.shape != shape) {
        throw Error(fmt::format("row {}: column \"{}\" was given {}, and earlier rows had {}",
                                rows_ - 1,
                                name,
                                describe({{"a value", type, shape}}),
                                describe({found->field})),
                    ErrorCode::usage);
    }
    if (found->rows == rows_) {
        throw Error(fmt::format("row {}: column \"{}\" is set twice", rows_ - 1, name),
                    ErrorCode::usage);
    }
    ++found->rows;
    expected_ = static_cast<std::size_t>(found - columns_.data()) + 1;
    return *found;
}

void Rows::set_bytes(std::string_view column,
                     ValueType type,
                     const std::vector<std::uint64_t>& shape,
                     std::span<const std::byte> bytes) {
    Column& into = next(column, type, shape);
    if (bytes.size() != into.field.row_bytes()) {
        throw Error(fmt::format("column \"{}\": {} bytes do not fill its shape: {}",
                                column,
                                bytes.size(),
                                describe({into.field})),
                    ErrorCode::usage);
    }
    into.values.insert(into.values.end(), bytes.begin(), bytes.end());
}

void Rows::set_text(std::string_view column, std::string_view text) {
    Column& into = next(column, ValueType::text, {});
    const auto bytes = std::as_bytes(std::span(text));
    into.values.insert(into.values.end(), bytes.begin(), bytes.end());
    into.offsets.push_back(into.values.size());
}

Rows& Rows::keep(const Row& row) {
    const Block& block = row.block();
    for (std::size_t i = 0; i < block.fields().size(); ++i) {
        const Field& field = block.fields()[i];
        if (field.type == ValueType::text) {
            set_text(field.name, block.texts_at(i)[row.index()]);
        } else {
            const std::uint64_t bytes = field.row_bytes();
            set_bytes(field.name,
                      field.type,
                      field.shape,
                      block.values(i).subspan(row.index() * bytes, bytes));
        }
    }
    return *this;
}

Block Rows::finish() {
    check_last();
    std::vector<Field> fields;
    std::vector<std::uint64_t> text_bytes;
    for (const Column& column : columns_) {
        fields.push_back(column.field);
        if (column.field.type == ValueType::text) {
            text_bytes.push_back(column.values.size());
        }
    }
    if (fields.empty()) {
        return {};
    }
    NewBlock out(std::move(fields), rows_, text_bytes, {});
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        const Column& column = columns_[i];
        if (!column.values.empty()) {
            std::memcpy(out.values(i), column.values.data(), column.values.size());
        }
        if (column.field.type == ValueType::text) {
            std::memcpy(out.offsets(i),
                        column.offsets.data(),
                        column.offsets.size() * sizeof(std::uint64_t));
        }
    }
    columns_.clear();
    rows_ = 0;
    return std::move(out).finish();
}

} // namespace muster::data
