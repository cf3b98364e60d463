#include "data/csv.hpp"
#include "data/sources.hpp"

#include <muster/base/error.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <set>

namespace muster::launcher::data {
namespace {

constexpr std::size_t piece_bytes = std::size_t{64} << 10U;

/// Where the fields of a record go.
struct Target {
    NewColumn column{};
    std::size_t first = 0; ///< Of the fields of a record,
    std::size_t count = 1; ///< so many.
};

std::ifstream open(const std::filesystem::path& file) {
    std::error_code error;
    if (std::filesystem::is_directory(file, error)) {
        throw Error(fmt::format("cannot read '{}': it is a folder; name a file", file.string()));
    }
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        throw Error(fmt::format(
            "cannot read '{}': {}; check the path", file.string(), std::strerror(errno)));
    }
    return stream;
}

[[noreturn]] void fail(const std::string& path, const Failure& failure) {
    throw Error(fmt::format("'{}', {}", path, failure.message), failure.code);
}

class CsvSource final : public RowSource {
public:
    CsvSource(const std::filesystem::path& file, const CsvOptions& options)
        : path_(file.string()), has_header_(options.has_header), stream_(open(file)),
          reader_(options.delimiter) {
        look(options);
        for (const Target& target : targets_) {
            columns_.push_back(target.column);
        }
        bytes_.resize(targets_.size());
        strings_.resize(targets_.size());
        stream_ = open(file);
        is_first_ = has_header_;
    }

    [[nodiscard]] const std::vector<NewColumn>& columns() const override { return columns_; }

    [[nodiscard]] std::uint64_t rows() const override { return rows_; }

    [[nodiscard]] const std::vector<ColumnBlock>& next(std::uint64_t count) override {
        drop(given_);
        given_ = count;
        while (waiting_ < count) {
            std::array<char, piece_bytes> piece{};
            stream_.read(piece.data(), piece.size());
            const auto got = static_cast<std::size_t>(stream_.gcount());
            const auto visit = [&](std::span<const std::string> fields, std::uint64_t) {
                return take(fields);
            };
            const auto fed =
                got > 0 ? reader_.feed({piece.data(), got}, visit) : reader_.finish(visit);
            if (!fed) {
                fail(path_, fed.error());
            }
            if (got == 0 && waiting_ < count) {
                throw Error(fmt::format(
                    "'{}' has become shorter while it was read; convert it again", path_));
            }
        }
        blocks_.clear();
        for (std::size_t i = 0; i < targets_.size(); ++i) {
            const NewColumn& column = columns_[i];
            const std::uint64_t elements = count * column.row_elements();
            std::span<const std::string> strings = strings_[i];
            blocks_.push_back({column.name,
                               column.type,
                               elements,
                               bytes_[i].data(),
                               strings.first(strings.empty() ? 0 : elements)});
        }
        return blocks_;
    }

private:
    /// Reads all of it once: names, types, rows.
    void look(const CsvOptions& options) {
        CsvReader reader(options.delimiter);
        std::vector<std::string> names;
        std::vector<TypeGuess> guesses;
        const auto visit = [&](std::span<const std::string> fields,
                               std::uint64_t) -> Result<std::monostate> {
            if (names.empty()) {
                set_names(options, fields, names);
                plan(options, names);
                guesses.resize(targets_.size());
                if (options.has_header) {
                    return std::monostate{};
                }
            }
            if (auto checked = check_count(fields.size()); !checked) {
                return checked;
            }
            for (std::size_t i = 0; i < targets_.size(); ++i) {
                for (std::size_t j = 0; j < targets_[i].count; ++j) {
                    guesses[i].see(fields[targets_[i].first + j]);
                }
            }
            ++rows_;
            return std::monostate{};
        };
        std::array<char, piece_bytes> piece{};
        do {
            stream_.read(piece.data(), piece.size());
            const auto got = static_cast<std::size_t>(stream_.gcount());
            if (const auto fed = reader.feed({piece.data(), got}, visit); !fed) {
                fail(path_, fed.error());
            }
        } while (stream_);
        if (stream_.bad()) {
            throw Error(fmt::format(
                "'{}' cannot be read to its end: {}; check the disk", path_, std::strerror(errno)));
        }
        if (const auto finished = reader.finish(visit); !finished) {
            fail(path_, finished.error());
        }
        if (names.empty()) {
            throw Error(fmt::format("'{}' is empty; the first line of a CSV file names its columns",
                                    path_));
        }
        for (std::size_t i = 0; i < targets_.size(); ++i) {
            NewColumn& column = targets_[i].column;
            if (!options.types.contains(column.name)) {
                column.type = guesses[i].type();
            }
        }
    }

    void set_names(const CsvOptions& options,
                   std::span<const std::string> fields,
                   std::vector<std::string>& names) {
        std::set<std::string> seen;
        for (std::size_t i = 0; i < fields.size(); ++i) {
            names.push_back(options.has_header ? fields[i] : fmt::format("c{}", i));
            if (names.back().empty()) {
                throw Error(fmt::format("'{}', line 1: column {} has no name; name it, or use "
                                        "--no-header",
                                        path_,
                                        i + 1));
            }
            if (!seen.insert(names.back()).second) {
                throw Error(fmt::format("'{}', line 1: there are two columns '{}'; give them "
                                        "different names, or use --no-header",
                                        path_,
                                        names.back()));
            }
        }
        fields_ = fields.size();
    }

    /// Which fields are which column.
    void plan(const CsvOptions& options, const std::vector<std::string>& names) {
        const auto place_of = [&](const std::string& name) {
            const auto found = std::ranges::find(names, name);
            if (found == names.end()) {
                throw UsageError(fmt::format("'{}' has no column '{}'; its columns are {}",
                                             path_,
                                             name,
                                             fmt::join(names, ", ")));
            }
            return static_cast<std::size_t>(found - names.begin());
        };
        std::vector<const Join*> join_of(names.size(), nullptr);
        for (const Join& join : options.joins) {
            const std::size_t first = place_of(join.first);
            const std::size_t last = place_of(join.last);
            if (last < first) {
                throw UsageError(fmt::format("--join {}: '{}' stands behind '{}' in '{}'",
                                             join.name,
                                             join.first,
                                             join.last,
                                             path_));
            }
            for (std::size_t i = first; i <= last; ++i) {
                if (join_of[i] != nullptr) {
                    throw UsageError(fmt::format("--join {} and {}: both have column '{}' of '{}'",
                                                 join_of[i]->name,
                                                 join.name,
                                                 names[i],
                                                 path_));
                }
                join_of[i] = &join;
            }
        }
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (join_of[i] != nullptr && i > 0 && join_of[i] == join_of[i - 1]) {
                ++targets_.back().count;
                targets_.back().column.row_shape.front() += 1;
                continue;
            }
            Target target{{}, i, 1};
            target.column.name = join_of[i] != nullptr ? join_of[i]->name : names[i];
            if (join_of[i] != nullptr) {
                target.column.row_shape = {1};
            }
            targets_.push_back(std::move(target));
        }
        for (const auto& [name, type] : options.types) {
            const auto found = std::ranges::find_if(
                targets_, [&](const Target& target) { return target.column.name == name; });
            if (found == targets_.end()) {
                place_of(name); // says what there is
                throw UsageError(fmt::format("--type {}: it was joined with others", name));
            }
            found->column.type = type.type;
            found->column.string_bytes = type.string_bytes;
        }
    }

    [[nodiscard]] Result<std::monostate> check_count(std::size_t count) const {
        if (count == fields_) {
            return std::monostate{};
        }
        return Failure{ErrorCode::malformed,
                       fmt::format("{} fields, but {} {}",
                                   count,
                                   has_header_ ? "the header has" : "the first line has",
                                   fields_)};
    }

    Result<std::monostate> take(std::span<const std::string> fields) {
        if (std::exchange(is_first_, false)) {
            return std::monostate{};
        }
        if (auto checked = check_count(fields.size()); !checked) {
            return checked;
        }
        for (std::size_t i = 0; i < targets_.size(); ++i) {
            const NewColumn& column = columns_[i];
            for (const std::string& field : fields.subspan(targets_[i].first, targets_[i].count)) {
                if (column.type == ElementType::string) {
                    strings_[i].push_back(field);
                    continue;
                }
                auto appended = append_value(column.type, column.string_bytes, field, bytes_[i]);
                if (!appended) {
                    return Failure{
                        appended.error().code,
                        fmt::format("column '{}': {}", column.name, appended.error().message)};
                }
            }
        }
        ++waiting_;
        return std::monostate{};
    }

    /// Rows that were given out.
    void drop(std::uint64_t rows) {
        for (std::size_t i = 0; i < targets_.size(); ++i) {
            const auto elements = static_cast<std::ptrdiff_t>(rows * columns_[i].row_elements());
            if (columns_[i].type == ElementType::string) {
                strings_[i].erase(strings_[i].begin(), strings_[i].begin() + elements);
            } else {
                const auto size = static_cast<std::ptrdiff_t>(columns_[i].element_bytes());
                bytes_[i].erase(bytes_[i].begin(), bytes_[i].begin() + elements * size);
            }
        }
        waiting_ -= rows;
    }

    std::string path_;
    bool has_header_;
    std::ifstream stream_;
    CsvReader reader_;
    std::size_t fields_ = 0; ///< In a record.
    std::vector<Target> targets_;
    std::vector<NewColumn> columns_;
    std::uint64_t rows_ = 0;
    bool is_first_ = false;
    std::vector<std::vector<std::byte>> bytes_; ///< Values of rows that were read,
    std::vector<std::vector<std::string>> strings_;
    std::uint64_t waiting_ = 0; ///< so many;
    std::uint64_t given_ = 0;   ///< these of them were given out last.
    std::vector<ColumnBlock> blocks_;
};

} // namespace

std::unique_ptr<RowSource> open_csv(const std::filesystem::path& file, const CsvOptions& options) {
    return std::make_unique<CsvSource>(file, options);
}

} // namespace muster::launcher::data
