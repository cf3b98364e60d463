#include "exec/open_tables.hpp"

#include <muster/data/inspect.hpp>

#include <fmt/format.h>

#include <algorithm>
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
    case ElementType::float16:
        return ValueType::float32;
    case ElementType::boolean:
        return ValueType::boolean;
    case ElementType::complex64:
        return ValueType::complex64;
    case ElementType::complex128:
        return ValueType::complex128;
    case ElementType::fixed_string:
    case ElementType::string:
        return ValueType::text;
    default:
        return std::nullopt;
    }
}

/// Of columns that many tasks read in turn, each its own rows.
constexpr std::uint64_t table_memory_max = std::uint64_t{64} << 20;

/// The named columns of a file whose datasets do not all belong to one table.
Table open_some(const std::string& file,
                const std::vector<std::string>& columns,
                TableOptions options) {
    for (const DatasetReport& dataset : inspect(file).datasets) {
        if (std::find(columns.begin(), columns.end(), dataset.column.name) != columns.end()) {
            options.columns.push_back({dataset.column.name, dataset.column.type, std::nullopt});
        }
    }
    return Table::open(file, options);
}

Table open_now(const std::string& file, const std::vector<std::string>& columns) {
    TableOptions options;
    options.memory_bytes_max = table_memory_max;
    std::optional<Table> table;
    try {
        table = Table::open(file, options);
    } catch (const Error&) {
        if (columns.empty()) {
            throw;
        }
        table = open_some(file, columns, options); // or says what is wrong
    }
    for (const std::string& name : columns) {
        (void)table->column(name); // names those there are, if it is not one
    }
    return *table;
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

std::vector<Field> fields_of(const Table& table, const std::vector<std::string>& columns) {
    std::vector<Field> fields;
    for (const Column& column : table.columns()) {
        if (!columns.empty() &&
            std::find(columns.begin(), columns.end(), column.name) == columns.end()) {
            continue;
        }
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
        if (*type == ValueType::text && column.shape.size() != 1) {
            throw Error(
                fmt::format("{}: column \"{}\" has several texts a row, and blocks have one; "
                            "leave it out of ReadOptions::columns",
                            table.file(),
                            column.name),
                ErrorCode::usage);
        }
        fields.push_back({column.name, *type, {column.shape.begin() + 1, column.shape.end()}});
    }
    return fields;
}

ElementType element_type_of_value(ValueType type) {
    switch (type) {
    case ValueType::complex64:
        return ElementType::complex64;
    case ValueType::complex128:
        return ElementType::complex128;
    case ValueType::text:
        return ElementType::string;
    default:
        return visit_real(type,
                          []<class T>(std::type_identity<T>) { return element_type_of<T>(); });
    }
}

Block read_block(const Table& table,
                 const std::vector<std::string>& columns,
                 std::uint64_t first,
                 std::uint64_t rows) {
    std::vector<Field> numbers = fields_of(table, columns);
    std::vector<std::string> order;
    for (const Field& field : numbers) {
        order.push_back(field.name);
    }
    std::erase_if(numbers, [](const Field& field) { return field.type == ValueType::text; });
    const bool has_texts = numbers.size() != order.size();
    NewBlock block(numbers, rows);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        table.read_rows(numbers[i].name,
                        first,
                        rows,
                        element_type_of_value(numbers[i].type),
                        {block.values(i), rows * numbers[i].row_bytes()});
    }
    Block read = std::move(block).finish();
    if (!has_texts) {
        return read;
    }
    for (const std::string& name : order) {
        if (!read.has(name)) {
            read.add(name, table.read_strings(name, first, rows));
        }
    }
    return read.select(order);
}

} // namespace muster::data::exec
