#include "exec/open_tables.hpp"

#include <fmt/format.h>

#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>

namespace muster::data::exec {
namespace {

struct OpenTable {
    std::string file;
    std::vector<std::string> columns;
    std::filesystem::file_time_type changed;
    Table table;
};

constexpr std::size_t open_max = 8;

struct OpenTables {
    std::mutex mutex; ///< Guards what follows.
    std::deque<OpenTable> tables;
};

OpenTables& open_tables() {
    static OpenTables tables;
    return tables;
}

std::optional<ValueType> value_type_of_element(ElementType type) {
    switch (type) {
    case ElementType::int8:
        return ValueType::int8;
    case ElementType::int16:
        return ValueType::int16;
    case ElementType::int32:
        return ValueType::int32;
    case ElementType::int64:
        return ValueType::int64;
    case ElementType::uint8:
        return ValueType::uint8;
    case ElementType::uint16:
        return ValueType::uint16;
    case ElementType::uint32:
        return ValueType::uint32;
    case ElementType::uint64:
        return ValueType::uint64;
    case ElementType::float32:
        return ValueType::float32;
    case ElementType::float64:
        return ValueType::float64;
    default:
        return std::nullopt;
    }
}

Table open_now(const std::string& file, const std::vector<std::string>& columns) {
    const Table all = Table::open(file);
    if (columns.empty()) {
        return all;
    }
    std::vector<ColumnSpec> specs;
    for (const std::string& name : columns) {
        specs.push_back({name, all.column(name).type, std::nullopt});
    }
    return Table::open(file, specs);
}

} // namespace

Table open_table(const std::string& file, const std::vector<std::string>& columns) {
    std::error_code ignored; // opening it says what is wrong
    const auto changed = std::filesystem::last_write_time(file, ignored);
    OpenTables& open = open_tables();
    const std::lock_guard lock(open.mutex);
    std::erase_if(open.tables,
                  [&](const OpenTable& one) { return one.file == file && one.changed != changed; });
    for (const OpenTable& one : open.tables) {
        if (one.file == file && one.columns == columns) {
            return one.table;
        }
    }
    open.tables.push_back({file, columns, changed, open_now(file, columns)});
    if (open.tables.size() > open_max) {
        open.tables.pop_front();
    }
    return open.tables.back().table;
}

std::vector<Field> fields_of(const Table& table) {
    std::vector<Field> fields;
    for (const Column& column : table.columns()) {
        const auto type = value_type_of_element(column.type);
        if (!type) {
            throw Error(
                fmt::format("{}: column \"{}\" is {}, which pipelines do not read; name the "
                            "columns to be read in ReadOptions::columns",
                            table.file(),
                            column.name,
                            column.type_text),
                ErrorCode::usage);
        }
        fields.push_back({column.name, *type, {column.shape.begin() + 1, column.shape.end()}});
    }
    return fields;
}

Block read_block(const Table& table, std::uint64_t first, std::uint64_t rows) {
    const std::vector<Field> fields = fields_of(table);
    NewBlock block(fields, rows);
    for (const Field& field : fields) {
        visit_real(field.type, [&]<class T>(std::type_identity<T>) {
            if constexpr (!std::is_same_v<T, bool>) {
                table.read_rows(field.name, first, rows, block.column<T>(field.name));
            }
        });
    }
    return std::move(block).finish();
}

} // namespace muster::data::exec
