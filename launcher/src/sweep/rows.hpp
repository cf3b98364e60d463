#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::sweep {

/// Values of one command, one per column.
using Row = std::vector<std::string>;

/// A source of values: a list behind ":::", the lines of a file, a table, a range. Of one or more
/// columns, which may have names.
class Source {
public:
    virtual ~Source() = default;

    /// Names of its columns; an empty one has none.
    [[nodiscard]] virtual const std::vector<std::string>& columns() const = 0;

    /// Puts its next values behind those in `row`. @return false, and nothing put, at its end.
    /// @throws Error with file and line.
    virtual bool next(Row& row) = 0;

    /// Whether next() would not wait for somebody who writes into a pipe.
    [[nodiscard]] virtual bool ready() { return true; }
};

/// Values that are there already, of one column.
[[nodiscard]] std::unique_ptr<Source> list_source(std::string column,
                                                  std::vector<std::string> values);

/// "1-10", "1-10:3", "7", several with commas: "1-3,10". Ends are included, and a range may fall.
/// @throws UsageError.
[[nodiscard]] std::unique_ptr<Source> range_source(std::string column, std::string_view text);

/// Gives one line after the other, without its end; nothing at the end.
using Lines = std::function<std::optional<std::string>()>;

/// Lines of a descriptor that may be a pipe or a terminal.
class DescriptorLines {
public:
    /// @param fd  Not owned.
    explicit DescriptorLines(int fd) : fd_(fd) {}

    [[nodiscard]] std::optional<std::string> next();
    /// A line, or the end, is there.
    [[nodiscard]] bool ready();

private:
    /// @return false if there was nothing to read, or only the end.
    bool read_more();

    int fd_;
    std::string buffer_;
    std::size_t at_ = 0;       ///< In the buffer, of the next line.
    std::size_t searched_ = 0; ///< In it: no line end before that.
    bool ended_ = false;
};

/// Its lines, as the values of one column.
[[nodiscard]] std::unique_ptr<Source> descriptor_source(std::string column, int fd);

/// Each line is a value; empty ones are, too.
[[nodiscard]] std::unique_ptr<Source> line_source(std::string column, Lines lines);

/// A table whose first line names its columns, separated by `separator`. Fields may be in double
/// quotes, and then contain separators, line ends, and quotes (twice); RFC 4180.
/// @param name  Of the file, for messages.
/// @throws UsageError for a first line without names, or with one twice.
[[nodiscard]] std::unique_ptr<Source> table_source(std::string name, char separator, Lines lines);

/// A JSON object per line; those of the first line are the columns. Strings stand as they are,
/// other values as JSON writes them.
/// @throws UsageError for a first line that is no object.
[[nodiscard]] std::unique_ptr<Source> json_source(std::string name, Lines lines);

/// Several sources as one.
///
/// By default every combination, the last source changing fastest (all but the first are read into
/// memory). Linked ones go together: one value of each, as many as the shortest has.
class Combination final : public Source {
public:
    /// @param linked  To the one before it. The first one never is.
    void add(std::unique_ptr<Source> source, bool linked);

    [[nodiscard]] const std::vector<std::string>& columns() const override { return columns_; }

    [[nodiscard]] bool empty() const { return groups_.empty(); }

    bool next(Row& row) override;
    [[nodiscard]] bool ready() override;

private:
    /// Sources that go together.
    struct Group {
        std::vector<std::unique_ptr<Source>> sources;
        std::vector<Row> rows; ///< All it has; of the first group nothing.
        std::size_t at = 0;
    };

    static bool next_of(Group& group, Row& row);
    void begin();

    std::vector<Group> groups_;
    std::vector<std::string> columns_;
    Row first_; ///< Of the first group.
    bool begun_ = false;
    bool first_is_due_ = true; ///< The next row of the first group.
    bool ended_ = false;
};

} // namespace muster::launcher::sweep
