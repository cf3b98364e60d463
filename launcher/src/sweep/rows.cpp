#include "sweep/rows.hpp"

#include <muster/base/error.hpp>
#include <muster/base/parse.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <set>
#include <utility>

namespace muster::launcher::sweep {
namespace {

class ListSource final : public Source {
public:
    ListSource(std::string column, std::vector<std::string> values)
        : columns_{std::move(column)}, values_(std::move(values)) {}

    [[nodiscard]] const std::vector<std::string>& columns() const override { return columns_; }

    bool next(Row& row) override {
        if (at_ == values_.size()) {
            return false;
        }
        row.push_back(std::move(values_[at_++]));
        return true;
    }

private:
    std::vector<std::string> columns_;
    std::vector<std::string> values_;
    std::size_t at_ = 0;
};

struct Range {
    std::int64_t first = 0;
    std::int64_t last = 0;
    std::int64_t step = 1; ///< Its sign is the direction.
};

class RangeSource final : public Source {
public:
    RangeSource(std::string column, std::vector<Range> ranges)
        : columns_{std::move(column)}, ranges_(std::move(ranges)) {}

    [[nodiscard]] const std::vector<std::string>& columns() const override { return columns_; }

    bool next(Row& row) override {
        if (at_ == ranges_.size()) {
            return false;
        }
        const Range& range = ranges_[at_];
        const std::int64_t value = started_ ? value_ : range.first;
        row.push_back(std::to_string(value));
        // What is left, without overflow at either end.
        const bool more =
            range.step > 0 ? range.last - value >= range.step : value - range.last >= -range.step;
        started_ = more;
        value_ = more ? value + range.step : 0;
        at_ += more ? 0 : 1;
        return true;
    }

private:
    std::vector<std::string> columns_;
    std::vector<Range> ranges_;
    std::size_t at_ = 0;
    bool started_ = false;
    std::int64_t value_ = 0;
};

class LineSource final : public Source {
public:
    LineSource(std::string column, Lines lines)
        : columns_{std::move(column)}, lines_(std::move(lines)) {}

    [[nodiscard]] const std::vector<std::string>& columns() const override { return columns_; }

    bool next(Row& row) override {
        auto line = lines_();
        if (!line) {
            return false;
        }
        row.push_back(std::move(*line));
        return true;
    }

private:
    std::vector<std::string> columns_;
    Lines lines_;
};

class DescriptorSource final : public Source {
public:
    DescriptorSource(std::string column, int fd) : columns_{std::move(column)}, lines_(fd) {}

    [[nodiscard]] const std::vector<std::string>& columns() const override { return columns_; }

    bool next(Row& row) override {
        auto line = lines_.next();
        if (!line) {
            return false;
        }
        row.push_back(std::move(*line));
        return true;
    }

    [[nodiscard]] bool ready() override { return lines_.ready(); }

private:
    std::vector<std::string> columns_;
    DescriptorLines lines_;
};

void check_names(const std::string& file, const std::vector<std::string>& names) {
    std::set<std::string> seen;
    for (const std::string& name : names) {
        if (name.empty()) {
            throw UsageError(fmt::format("{}, line 1: a column has no name", file));
        }
        if (!seen.insert(name).second) {
            throw UsageError(fmt::format("{}, line 1: two columns are called '{}'", file, name));
        }
    }
}

class TableSource final : public Source {
public:
    TableSource(std::string name, char separator, Lines lines)
        : name_(std::move(name)), separator_(separator), lines_(std::move(lines)) {
        auto header = record();
        if (!header) {
            throw UsageError(fmt::format("{}: is empty; its first line names the columns", name_));
        }
        if (!header->empty() && header->front().starts_with("\xef\xbb\xbf")) {
            header->front().erase(0, 3); // a mark that some programs put in front of UTF-8
        }
        check_names(name_, *header);
        columns_ = std::move(*header);
    }

    [[nodiscard]] const std::vector<std::string>& columns() const override { return columns_; }

    bool next(Row& row) override {
        auto fields = record();
        if (!fields) {
            return false;
        }
        if (fields->size() != columns_.size()) {
            throw UsageError(fmt::format("{}, line {}: has {} fields, and the first line names {}",
                                         name_,
                                         line_,
                                         fields->size(),
                                         columns_.size()));
        }
        std::move(fields->begin(), fields->end(), std::back_inserter(row));
        return true;
    }

private:
    std::optional<std::string> line() {
        auto text = lines_();
        if (text) {
            ++line_;
            if (text->ends_with('\r')) {
                text->pop_back();
            }
        }
        return text;
    }

    /// The fields of one record, which may go over several lines; empty lines are none.
    std::optional<std::vector<std::string>> record() {
        auto text = line();
        while (text && text->empty()) {
            text = line();
        }
        if (!text) {
            return std::nullopt;
        }
        const std::size_t began = line_;
        std::vector<std::string> fields;
        std::size_t i = 0;
        for (;;) {
            std::string field;
            if (i < text->size() && (*text)[i] == '"') {
                ++i;
                for (;;) {
                    if (i >= text->size()) {
                        auto more = line();
                        if (!more) {
                            throw UsageError(fmt::format(
                                "{}, line {}: a field in quotes does not end", name_, began));
                        }
                        field += '\n';
                        text = std::move(more);
                        i = 0;
                        continue;
                    }
                    if ((*text)[i] != '"') {
                        field += (*text)[i++];
                    } else if (i + 1 < text->size() && (*text)[i + 1] == '"') {
                        field += '"';
                        i += 2;
                    } else {
                        ++i;
                        break;
                    }
                }
                if (i < text->size() && (*text)[i] != separator_) {
                    throw UsageError(fmt::format(
                        "{}, line {}: text stands behind a field in quotes", name_, line_));
                }
            } else {
                const auto end = std::min(text->find(separator_, i), text->size());
                field = text->substr(i, end - i);
                i = end;
            }
            fields.push_back(std::move(field));
            if (i >= text->size()) {
                return fields;
            }
            ++i; // the separator
        }
    }

    std::string name_;
    char separator_;
    Lines lines_;
    std::size_t line_ = 0;
    std::vector<std::string> columns_;
};

class JsonSource final : public Source {
public:
    JsonSource(std::string name, Lines lines) : name_(std::move(name)), lines_(std::move(lines)) {
        first_ = object();
        if (!first_) {
            throw UsageError(fmt::format("{}: is empty; every line is a JSON object", name_));
        }
        for (const auto& [key, value] : first_->items()) {
            columns_.push_back(key);
        }
        check_names(name_, columns_);
    }

    [[nodiscard]] const std::vector<std::string>& columns() const override { return columns_; }

    bool next(Row& row) override {
        const auto object = first_ ? std::exchange(first_, std::nullopt) : this->object();
        if (!object) {
            return false;
        }
        for (const std::string& column : columns_) {
            const auto value = object->find(column);
            if (value == object->end()) {
                throw UsageError(fmt::format(
                    "{}, line {}: has no '{}', as the first line has", name_, line_, column));
            }
            row.push_back(value->is_string() ? value->get<std::string>() : value->dump());
        }
        if (object->size() != columns_.size()) {
            throw UsageError(
                fmt::format("{}, line {}: has other keys than the first line", name_, line_));
        }
        return true;
    }

private:
    std::optional<nlohmann::ordered_json> object() {
        for (;;) {
            const auto text = lines_();
            if (!text) {
                return std::nullopt;
            }
            ++line_;
            if (text->find_first_not_of(" \t\r") == std::string::npos) {
                continue;
            }
            auto value = nlohmann::ordered_json::parse(*text, nullptr, /*allow_exceptions=*/false);
            if (!value.is_object()) {
                throw UsageError(fmt::format("{}, line {}: is not a JSON object", name_, line_));
            }
            return value;
        }
    }

    std::string name_;
    Lines lines_;
    std::size_t line_ = 0;
    std::optional<nlohmann::ordered_json> first_;
    std::vector<std::string> columns_;
};

Range parse_range(std::string_view text) {
    const auto wrong = [&] {
        return UsageError(fmt::format("'{}' is not a range: write 1-10, 1-10:2 or 7", text));
    };
    const auto colon = text.find(':');
    const std::string_view ends = text.substr(0, colon);
    // A minus sign may stand before either number.
    const auto dash = ends.find('-', 1);
    const auto first = parse_whole<std::int64_t>(ends.substr(0, dash));
    const auto last =
        dash == std::string_view::npos ? first : parse_whole<std::int64_t>(ends.substr(dash + 1));
    const auto step =
        colon == std::string_view::npos ? 1 : parse_whole<std::int64_t>(text.substr(colon + 1));
    constexpr std::int64_t most = std::int64_t{1} << 62; // so that differences fit
    if (!first || !last || !step || *step <= 0 ||
        std::max(std::abs(*first), std::abs(*last)) > most) {
        throw wrong();
    }
    return {*first, *last, *first <= *last ? *step : -*step};
}

} // namespace

std::unique_ptr<Source> list_source(std::string column, std::vector<std::string> values) {
    return std::make_unique<ListSource>(std::move(column), std::move(values));
}

std::unique_ptr<Source> range_source(std::string column, std::string_view text) {
    std::vector<Range> ranges;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find(',', begin), text.size());
        ranges.push_back(parse_range(text.substr(begin, end - begin)));
        begin = end + 1;
    }
    return std::make_unique<RangeSource>(std::move(column), std::move(ranges));
}

bool DescriptorLines::read_more() {
    if (at_ > 0) {
        buffer_.erase(0, at_);
        searched_ -= at_;
        at_ = 0;
    }
    constexpr std::size_t piece = std::size_t{1} << 16;
    const std::size_t before = buffer_.size();
    buffer_.resize(before + piece);
    ssize_t n = 0;
    do {
        n = ::read(fd_, buffer_.data() + before, piece);
    } while (n < 0 && errno == EINTR);
    buffer_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0) {
        throw Error(fmt::format("cannot read standard input: {}", std::strerror(errno)));
    }
    ended_ = n == 0;
    return n > 0;
}

bool DescriptorLines::ready() {
    for (;;) {
        const auto end = buffer_.find('\n', searched_);
        if (end != std::string::npos || ended_) {
            return true;
        }
        searched_ = buffer_.size();
        pollfd event{fd_, POLLIN, 0};
        if (::poll(&event, 1, 0) <= 0) {
            return false;
        }
        read_more();
    }
}

std::optional<std::string> DescriptorLines::next() {
    for (;;) {
        const auto end = buffer_.find('\n', searched_);
        if (end != std::string::npos) {
            std::string line = buffer_.substr(at_, end - at_);
            at_ = end + 1;
            searched_ = at_;
            return line;
        }
        searched_ = buffer_.size();
        if (ended_ || !read_more()) {
            if (at_ == buffer_.size()) {
                return std::nullopt;
            }
            std::string line = buffer_.substr(at_); // the last, without an end
            at_ = buffer_.size();
            searched_ = at_;
            return line;
        }
    }
}

std::unique_ptr<Source> descriptor_source(std::string column, int fd) {
    return std::make_unique<DescriptorSource>(std::move(column), fd);
}

std::unique_ptr<Source> line_source(std::string column, Lines lines) {
    return std::make_unique<LineSource>(std::move(column), std::move(lines));
}

std::unique_ptr<Source> table_source(std::string name, char separator, Lines lines) {
    return std::make_unique<TableSource>(std::move(name), separator, std::move(lines));
}

std::unique_ptr<Source> json_source(std::string name, Lines lines) {
    return std::make_unique<JsonSource>(std::move(name), std::move(lines));
}

void Combination::add(std::unique_ptr<Source> source, bool linked) {
    for (const std::string& column : source->columns()) {
        if (!column.empty() &&
            std::find(columns_.begin(), columns_.end(), column) != columns_.end()) {
            throw UsageError(fmt::format("two sources have a column '{}'", column));
        }
        columns_.push_back(column);
    }
    if (!linked || groups_.empty()) {
        groups_.emplace_back();
    }
    groups_.back().sources.push_back(std::move(source));
}

bool Combination::next_of(Group& group, Row& row) {
    Row values;
    for (const auto& source : group.sources) {
        if (!source->next(values)) {
            return false;
        }
    }
    std::move(values.begin(), values.end(), std::back_inserter(row));
    return true;
}

void Combination::begin() {
    begun_ = true;
    if (groups_.empty()) {
        ended_ = true;
        return;
    }
    for (std::size_t i = 1; i < groups_.size(); ++i) {
        Row row;
        while (next_of(groups_[i], row)) {
            groups_[i].rows.push_back(std::exchange(row, {}));
        }
        ended_ = ended_ || groups_[i].rows.empty();
    }
}

bool Combination::ready() {
    return groups_.empty() || ended_ || !first_is_due_ ||
           std::all_of(groups_.front().sources.begin(),
                       groups_.front().sources.end(),
                       [](auto& one) { return one->ready(); });
}

bool Combination::next(Row& row) {
    if (!begun_) {
        begin();
    }
    // Not before it is asked for: the first source may be a pipe that somebody writes into.
    if (!ended_ && std::exchange(first_is_due_, false)) {
        first_.clear();
        ended_ = !next_of(groups_.front(), first_);
    }
    if (ended_) {
        return false;
    }
    row.insert(row.end(), first_.begin(), first_.end());
    for (std::size_t i = 1; i < groups_.size(); ++i) {
        const Row& values = groups_[i].rows[groups_[i].at];
        row.insert(row.end(), values.begin(), values.end());
    }
    // As an odometer.
    std::size_t i = groups_.size();
    while (--i > 0 && ++groups_[i].at == groups_[i].rows.size()) {
        groups_[i].at = 0;
    }
    first_is_due_ = i == 0;
    return true;
}

} // namespace muster::launcher::sweep
