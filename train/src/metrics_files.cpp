#include "metrics_files.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <sstream>

namespace muster::train {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view first_columns = "step,attempt,wall_time";

double now() {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string in_quotes(std::string_view text) {
    std::string quoted = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            quoted += '\\';
        }
        if (static_cast<unsigned char>(c) < 0x20) {
            quoted += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
        } else {
            quoted += c;
        }
    }
    return quoted + '"';
}

std::string json_number(double value) {
    return std::isfinite(value) ? fmt::format("{}", value) : "null";
}

/// A name in the header: without what would end it.
std::string csv_name(std::string name) {
    std::ranges::replace_if(
        name, [](char c) { return c == ',' || c == '"' || c == '\n' || c == '\r'; }, '_');
    return name;
}

std::string read_all(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace

std::string to_json(const MetricRow& row) {
    std::string line = fmt::format(R"({{"step": {}, "attempt": {}, "wall_time": {:.3f})",
                                   row.step,
                                   row.attempt,
                                   row.wall_time);
    for (const auto& [name, value] : row.metrics) {
        line += fmt::format(", {}: {}", in_quotes(name), json_number(value));
    }
    return line + "}";
}

MetricsFiles::MetricsFiles(const fs::path& folder)
    : csv_path_(folder / "metrics.csv"), jsonl_(folder / "metrics.jsonl", std::ios::app),
      events_(folder, now(), fmt::format("muster.{}", ::getpid())) {
    std::istringstream header(read_all(csv_path_));
    std::string line;
    if (std::getline(header, line) && line.starts_with(first_columns)) {
        std::istringstream names(line.substr(first_columns.size()));
        std::string name;
        std::getline(names, name, ','); // what is before the first comma: nothing
        while (std::getline(names, name, ',')) {
            columns_.push_back(name);
        }
        csv_.open(csv_path_, std::ios::app);
    } else {
        open_csv();
    }
    if (!csv_ || !jsonl_) {
        throw Error(fmt::format(
            "cannot write metrics to '{}'; check its permissions and free space", folder.string()));
    }
}

/// Puts a header of the present columns before the rows there are.
void MetricsFiles::open_csv() {
    csv_.close();
    const std::string before = read_all(csv_path_);
    const std::size_t end = before.find('\n');
    const fs::path part = csv_path_.string() + ".part";
    std::ofstream out(part, std::ios::binary);
    out << first_columns;
    for (const std::string& column : columns_) {
        out << ',' << column;
    }
    out << '\n';
    if (end != std::string::npos) {
        out << std::string_view(before).substr(end + 1);
    }
    out.close();
    std::error_code error;
    fs::rename(part, csv_path_, error);
    csv_.open(csv_path_, std::ios::app);
}

void MetricsFiles::add(const MetricRow& row) {
    const std::size_t known = columns_.size();
    for (const auto& [name, value] : row.metrics) {
        const std::string column = csv_name(name);
        if (std::ranges::find(columns_, column) == columns_.end()) {
            columns_.push_back(column);
        }
    }
    if (columns_.size() != known) {
        open_csv();
    }
    std::map<std::string, double> by_column;
    for (const auto& [name, value] : row.metrics) {
        by_column[csv_name(name)] = value;
    }
    csv_ << fmt::format("{},{},{:.3f}", row.step, row.attempt, row.wall_time);
    for (const std::string& column : columns_) {
        const auto found = by_column.find(column);
        csv_ << ',' << (found == by_column.end() ? "" : fmt::format("{}", found->second));
    }
    csv_ << '\n' << std::flush;
    jsonl_ << to_json(row) << '\n' << std::flush;
    events_.add(row.wall_time, static_cast<std::int64_t>(row.step), row.metrics);
}

} // namespace muster::train
