// table_program FILE COLUMN [range|gather|batches]: the values of a column as text, a row in a
// line, to be compared with what other libraries read. Numbers with all their digits, complex ones
// as two.

#include <muster/base/error.hpp>
#include <muster/data/batch_loader.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <complex>
#include <cstdint>
#include <iostream>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace {

namespace data = muster::data;

template <class T>
void print(std::span<const T> values, std::uint64_t row_elements) {
    for (std::size_t i = 0; i < values.size(); ++i) {
        if constexpr (std::is_same_v<T, std::complex<double>>) {
            fmt::print("{} {}", values[i].real(), values[i].imag());
        } else if constexpr (std::is_same_v<T, bool>) {
            fmt::print("{}", values[i] ? 1 : 0);
        } else {
            fmt::print("{}", values[i]);
        }
        fmt::print("{}", (i + 1) % row_elements == 0 ? '\n' : ' ');
    }
}

/// All rows, by the way that was asked for, in their order.
template <class T>
void read(const data::Table& table, const std::string& name, const std::string& how) {
    const data::Column& column = table.column(name);
    const std::uint64_t width = column.row_elements();
    const std::uint64_t rows = table.rows();
    std::vector<T> values(rows * width);
    if (how == "range") {
        table.read_rows(name, 0, rows, std::span(values));
    } else if (how == "gather") { // backwards, a few rows at a time
        for (std::uint64_t end = rows; end > 0;) {
            const std::uint64_t first = end - std::min<std::uint64_t>(end, 7);
            std::vector<std::uint64_t> wanted(end - first);
            std::iota(wanted.rbegin(), wanted.rend(), first);
            std::vector<T> some(wanted.size() * width);
            table.gather(name, wanted, std::span(some));
            for (std::size_t i = 0; i < some.size(); ++i) {
                values[wanted[i / width] * width + i % width] = some[i];
            }
            end = first;
        }
    } else {
        data::BatchLoader loader(table,
                                 {data::column<T>(name)},
                                 {.batch_size = 16,
                                  .order = data::Order::shuffled_by_block,
                                  .window_blocks = 3,
                                  .epochs = 1});
        while (const auto batch = loader.next()) {
            const std::span<const T> some = batch->column<T>(name);
            for (std::size_t i = 0; i < some.size(); ++i) {
                values[batch->rows()[i / width] * width + i % width] = some[i];
            }
        }
    }
    print(std::span<const T>(values), width);
}

void read_any(const data::Table& table, const std::string& name, const std::string& how) {
    using data::ElementType;
    switch (table.column(name).type) {
    case ElementType::string:
    case ElementType::fixed_string:
        for (const std::string& text : table.read_strings(name, 0, table.rows())) {
            fmt::print("{}\n", text);
        }
        return;
    case ElementType::complex64:
    case ElementType::complex128:
        return read<std::complex<double>>(table, name, how);
    case ElementType::int64:
        return read<std::int64_t>(table, name, how);
    case ElementType::uint64:
        return read<std::uint64_t>(table, name, how);
    case ElementType::unsupported:
        throw muster::Error(
            fmt::format("column '{}' holds {}", name, table.column(name).type_text));
    default:
        return read<double>(table, name, how); // all others fit
    }
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::cerr << "usage: table_program FILE COLUMN [range|gather|batches]\n";
        return 2;
    }
    try {
        const std::string name = argv[2];
        const data::Table table = data::Table::open(argv[1], {.columns = {data::column(name)}});
        read_any(table, name, argc > 3 ? argv[3] : "range");
        std::cerr << table.statistics().chunks_decoded << " chunks decoded\n";
        return 0;
    } catch (const muster::Error& error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
}
