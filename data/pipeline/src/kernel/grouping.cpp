#include "kernel/grouping.hpp"

#include "kernel/gather.hpp"
#include "kernel/sums.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <type_traits>

namespace muster::data::kernel {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

using Kind = Aggregate::Kind;

/// Where the state of an aggregate is in partial results.
std::string state_name(std::size_t aggregate, const char* part) {
    return fmt::format("#{}.{}", aggregate, part);
}

const char* function_of(Kind kind) {
    switch (kind) {
    case Kind::count:
        return "count";
    case Kind::sum:
        return "sum";
    case Kind::min:
        return "min";
    case Kind::max:
        return "max";
    case Kind::mean:
        return "mean";
    default:
        return "std";
    }
}

/// The groups of keys whose patterns lie close together, by a table of them all.
std::optional<Groups> group_dense(std::span<const std::uint64_t> patterns) {
    if (patterns.empty()) {
        return std::nullopt;
    }
    std::uint64_t low = patterns.front();
    std::uint64_t high = patterns.front();
    for (const std::uint64_t pattern : patterns) { // without a branch, unlike std::minmax_element()
        low = std::min(low, pattern);
        high = std::max(high, pattern);
    }
    const std::uint64_t range = high - low;
    if (range >= std::max<std::uint64_t>(patterns.size(), 1024)) {
        return std::nullopt;
    }
    constexpr std::uint32_t none = ~std::uint32_t{0};
    std::vector<std::uint32_t> table(range + 1, none);
    Groups groups;
    groups.of_row.resize(patterns.size());
    for (std::size_t row = 0; row < patterns.size(); ++row) {
        std::uint32_t& group = table[patterns[row] - low];
        if (group == none) {
            group = static_cast<std::uint32_t>(groups.first.size());
            groups.first.push_back(static_cast<std::uint32_t>(row));
        }
        groups.of_row[row] = group;
    }
    return groups;
}

/// A column as the source of an aggregate's state.
class StateMaker {
public:
    StateMaker(Block& out, const Groups& groups, std::size_t group_count)
        : out_(out), groups_(groups), group_count_(group_count) {}

    void make(std::size_t index, const Block& block, const Aggregate& aggregate) {
        if (aggregate.kind == Kind::count) {
            out_.add(state_name(index, "n"), sizes(1));
            return;
        }
        const Field& field = block.field(aggregate.column);
        visit_real(field.type, [&]<class T>(std::type_identity<T>) {
            const auto values = block.column<T>(aggregate.column);
            const std::size_t width = field.elements();
            switch (aggregate.kind) {
            case Kind::sum:
                return sum<T>(index, values, width);
            case Kind::min:
            case Kind::max:
                return extreme<T>(index, values, width, aggregate.kind == Kind::min);
            case Kind::mean:
                return mean<T>(index, values, width);
            default:
                return deviation<T>(index, values, width);
            }
        });
    }

private:
    template <class T, class Add>
    void each_row(std::span<const T> values, std::size_t width, Add&& add) const {
        for (std::size_t row = 0; row < groups_.of_row.size(); ++row) {
            add(groups_.of_row[row], values.subspan(row * width, width));
        }
    }

    /// How many values of so many a row each group has. Rows are counted once for all aggregates.
    [[nodiscard]] std::vector<std::uint64_t> sizes(std::size_t width) {
        if (rows_.empty()) {
            rows_.resize(group_count_);
            if (group_count_ == 1) {
                rows_[0] = groups_.of_row.size();
            } else {
                for (const std::uint32_t group : groups_.of_row) {
                    ++rows_[group];
                }
            }
        }
        std::vector<std::uint64_t> values = rows_;
        for (std::uint64_t& count : values) {
            count *= width;
        }
        return values;
    }

    /// Sums of each group.
    template <class S, class T>
    [[nodiscard]] std::vector<S> sums(std::span<const T> values, std::size_t width) const {
        std::vector<S> sums(group_count_);
        if (group_count_ == 1) {
            sums[0] = sum_of<S>(values);
        } else if (width == 1) {
            for (std::size_t row = 0; row < values.size(); ++row) {
                sums[groups_.of_row[row]] += static_cast<S>(values[row]);
            }
        } else {
            each_row(values, width, [&](std::uint32_t group, std::span<const T> row) {
                sums[group] += sum_of<S>(row);
            });
        }
        return sums;
    }

    template <class T>
    void sum(std::size_t index, std::span<const T> values, std::size_t width) {
        using S = std::conditional_t<
            std::is_floating_point_v<T>,
            double,
            std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t>>;
        if constexpr (std::is_same_v<S, std::int64_t>) {
            // Added modulo 2^64, as unsigned numbers are.
            const auto unsigned_sums = sums<std::uint64_t>(values, width);
            const std::vector<std::int64_t> signed_sums(unsigned_sums.begin(), unsigned_sums.end());
            out_.add(state_name(index, "sum"), signed_sums);
        } else {
            out_.add(state_name(index, "sum"), sums<S>(values, width));
        }
    }

    template <class T>
    void extreme(std::size_t index, std::span<const T> values, std::size_t width, bool least) {
        const std::vector<std::uint64_t> counts = sizes(width);
        std::vector<T> best = least ? extremes<T, std::less<>>(values, width, counts)
                                    : extremes<T, std::greater<>>(values, width, counts);
        out_.add(state_name(index, "best"), best);
        out_.add(state_name(index, "n"), counts);
    }

    /// NaN is nobody's best: of a group that has nothing else, it is.
    template <class T, class Better>
    [[nodiscard]] std::vector<T> extremes(std::span<const T> values,
                                          std::size_t width,
                                          const std::vector<std::uint64_t>& counts) const {
        constexpr bool least = std::is_same_v<Better, std::less<>>;
        using Limits = std::numeric_limits<T>;
        const T worst = Limits::has_infinity ? (least ? Limits::infinity() : -Limits::infinity())
                        : least              ? Limits::max()
                                             : Limits::lowest();
        const Better better;
        std::vector<T> best(group_count_, worst);
        if (width == 1) {
            for (std::size_t row = 0; row < values.size(); ++row) {
                const std::uint32_t group = groups_.of_row[row];
                best[group] = better(values[row], best[group]) ? values[row] : best[group];
            }
        } else {
            each_row(values, width, [&](std::uint32_t group, std::span<const T> row) {
                for (const T value : row) {
                    best[group] = better(value, best[group]) ? value : best[group];
                }
            });
        }
        for (std::size_t group = 0; group < group_count_; ++group) {
            if (counts[group] == 0) {
                best[group] = std::is_floating_point_v<T> ? Limits::quiet_NaN() : T{};
            }
        }
        if constexpr (std::is_floating_point_v<T>) {
            if (std::find(best.begin(), best.end(), worst) != best.end()) {
                leave_nan(values, width, worst, best);
            }
        }
        return best;
    }

    /// Groups whose best is still the worst value there is: either they have it, or only NaN.
    template <class T>
    void
    leave_nan(std::span<const T> values, std::size_t width, T worst, std::vector<T>& best) const {
        std::vector<bool> has_number(group_count_);
        each_row(values, width, [&](std::uint32_t group, std::span<const T> row) {
            for (const T value : row) {
                has_number[group] = has_number[group] || value == value;
            }
        });
        for (std::size_t group = 0; group < group_count_; ++group) {
            if (best[group] == worst && !has_number[group]) {
                best[group] = std::numeric_limits<T>::quiet_NaN();
            }
        }
    }

    template <class T>
    void mean(std::size_t index, std::span<const T> values, std::size_t width) {
        out_.add(state_name(index, "sum"), sums<double>(values, width));
        out_.add(state_name(index, "n"), sizes(width));
    }

    /// The squares of differences to the block's own mean, in a second pass over the block: exact
    /// to rounding, where a sum of squares cancels.
    template <class T>
    void deviation(std::size_t index, std::span<const T> values, std::size_t width) {
        std::vector<double> means = sums<double>(values, width);
        const std::vector<std::uint64_t> counts = sizes(width);
        for (std::size_t group = 0; group < group_count_; ++group) {
            means[group] =
                counts[group] == 0 ? 0 : means[group] / static_cast<double>(counts[group]);
        }
        std::vector<double> squares(group_count_);
        each_row(values, width, [&](std::uint32_t group, std::span<const T> row) {
            for (const T value : row) {
                const double difference = static_cast<double>(value) - means[group];
                squares[group] += difference * difference;
            }
        });
        out_.add(state_name(index, "mean"), means);
        out_.add(state_name(index, "squares"), squares);
        out_.add(state_name(index, "n"), counts);
    }

    Block& out_;
    const Groups& groups_;
    std::size_t group_count_;
    std::vector<std::uint64_t> rows_; ///< Of each group, once they are asked for.
};

/// Joins the states of equal groups.
class StateMerger {
public:
    StateMerger(Block& out, const Groups& groups, std::size_t group_count)
        : out_(out), groups_(groups), group_count_(group_count) {}

    void merge(std::size_t index, const Block& partial, const Aggregate& aggregate) {
        switch (aggregate.kind) {
        case Kind::count:
            return add_up<std::uint64_t>(state_name(index, "n"), partial);
        case Kind::sum: {
            const std::string name = state_name(index, "sum");
            switch (partial.field(name).type) {
            case ValueType::int64: {
                const auto sums = added<std::uint64_t, std::int64_t>(name, partial);
                out_.add(name, std::vector<std::int64_t>(sums.begin(), sums.end()));
                return;
            }
            case ValueType::uint64:
                return add_up<std::uint64_t>(name, partial);
            default:
                return add_up<double>(name, partial);
            }
        }
        case Kind::min:
        case Kind::max:
            return visit_real(partial.field(state_name(index, "best")).type,
                              [&]<class T>(std::type_identity<T>) {
                                  extreme<T>(index, partial, aggregate.kind == Kind::min);
                              });
        case Kind::mean:
            add_up<double>(state_name(index, "sum"), partial);
            return add_up<std::uint64_t>(state_name(index, "n"), partial);
        default:
            return deviation(index, partial);
        }
    }

private:
    template <class S, class T>
    std::vector<S> added(const std::string& name, const Block& partial) const {
        const auto values = partial.column<T>(name);
        std::vector<S> sums(group_count_);
        for (std::size_t row = 0; row < values.size(); ++row) {
            sums[groups_.of_row[row]] += static_cast<S>(values[row]);
        }
        return sums;
    }

    template <class S>
    void add_up(const std::string& name, const Block& partial) {
        out_.add(name, added<S, S>(name, partial));
    }

    template <class T>
    void extreme(std::size_t index, const Block& partial, bool least) {
        const auto values = partial.column<T>(state_name(index, "best"));
        const auto sizes = partial.column<std::uint64_t>(state_name(index, "n"));
        std::vector<T> best(group_count_);
        std::vector<std::uint64_t> counts(group_count_);
        for (std::size_t row = 0; row < values.size(); ++row) {
            const std::uint32_t group = groups_.of_row[row];
            const T value = values[row];
            T old = best[group];
            const bool better = least ? value < old : old < value;
            if (sizes[row] > 0 && (counts[group] == 0 || old != old || better)) {
                best[group] = value;
            }
            counts[group] += sizes[row];
        }
        if constexpr (std::is_floating_point_v<T>) {
            for (std::size_t group = 0; group < group_count_; ++group) {
                best[group] =
                    counts[group] == 0 ? std::numeric_limits<T>::quiet_NaN() : best[group];
            }
        }
        out_.add(state_name(index, "best"), best);
        out_.add(state_name(index, "n"), counts);
    }

    /// Source: Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
    /// Sample Variances", Stanford STAN-CS-79-773, 1979, eq. 2.1.
    void deviation(std::size_t index, const Block& partial) {
        const auto means_in = partial.column<double>(state_name(index, "mean"));
        const auto squares_in = partial.column<double>(state_name(index, "squares"));
        const auto counts_in = partial.column<std::uint64_t>(state_name(index, "n"));
        std::vector<double> means(group_count_);
        std::vector<double> squares(group_count_);
        std::vector<std::uint64_t> counts(group_count_);
        for (std::size_t row = 0; row < means_in.size(); ++row) {
            const std::uint32_t group = groups_.of_row[row];
            const auto before = static_cast<double>(counts[group]);
            const auto more = static_cast<double>(counts_in[row]);
            if (counts_in[row] == 0) {
                continue;
            }
            const double difference = means_in[row] - means[group];
            means[group] += difference * more / (before + more);
            squares[group] +=
                squares_in[row] + difference * difference * before * more / (before + more);
            counts[group] += counts_in[row];
        }
        out_.add(state_name(index, "mean"), means);
        out_.add(state_name(index, "squares"), squares);
        out_.add(state_name(index, "n"), counts);
    }

    Block& out_;
    const Groups& groups_;
    std::size_t group_count_;
};

/// The groups of a block, and its keys, one row a group.
struct Grouped {
    Groups groups;
    Block keys;
    std::size_t count = 1;
};

Grouped group(const Block& block, const std::vector<std::string>& keys) {
    Grouped grouped;
    if (keys.empty()) {
        grouped.groups.of_row.assign(block.rows(), 0);
        return grouped;
    }
    const Block key_columns = block.select(keys);
    grouped.groups = group_rows(Keys(key_columns, ascending(keys), "group_by"));
    grouped.keys = gather(key_columns, grouped.groups.first);
    grouped.count = grouped.groups.first.size();
    return grouped;
}

Block sorted(const Block& groups, const std::vector<std::string>& keys) {
    if (keys.empty()) {
        return groups;
    }
    return gather(groups, sorted_order(Keys(groups, ascending(keys), "group_by")));
}

void check(const Block& block, const Aggregate& aggregate) {
    if (aggregate.kind == Kind::count) {
        return;
    }
    const char* const function = function_of(aggregate.kind);
    if (!block.has(aggregate.column)) {
        throw Error(fmt::format("{}: no column \"{}\"; the columns are: {}",
                                function,
                                aggregate.column,
                                describe(block.fields())),
                    ErrorCode::usage);
    }
    if (!is_real(block.field(aggregate.column).type)) {
        throw Error(fmt::format("{}: column \"{}\" is {}, and only numbers and bool have one",
                                function,
                                aggregate.column,
                                to_string(block.field(aggregate.column).type)),
                    ErrorCode::usage);
    }
}

void check_keys(const Block& block, const std::vector<std::string>& keys) {
    for (const std::string& key : keys) {
        if (!block.has(key)) {
            throw Error(fmt::format("group_by: no column \"{}\"; the columns are: {}",
                                    key,
                                    describe(block.fields())),
                        ErrorCode::usage);
        }
    }
}

} // namespace

std::vector<SortKey> ascending(const std::vector<std::string>& columns) {
    return {columns.begin(), columns.end()};
}

std::string name_of(const Aggregate& aggregate) {
    if (!aggregate.name.empty()) {
        return aggregate.name;
    }
    return fmt::format("{}({})", function_of(aggregate.kind), aggregate.column);
}

Groups group_rows(const Keys& keys) {
    if (auto groups = group_dense(keys.only_patterns())) {
        return *std::move(groups);
    }
    constexpr std::uint32_t none = ~std::uint32_t{0};
    const std::size_t rows = keys.rows();
    std::vector<std::uint32_t> table(std::bit_ceil(2 * rows + 16), none);
    const std::size_t mask = table.size() - 1;
    Groups groups;
    groups.of_row.resize(rows);
    for (std::size_t row = 0; row < rows; ++row) {
        std::size_t place = keys.hash(row) & mask;
        while (table[place] != none && keys.compare(groups.first[table[place]], keys, row) != 0) {
            place = (place + 1) & mask;
        }
        if (table[place] == none) {
            table[place] = static_cast<std::uint32_t>(groups.first.size());
            groups.first.push_back(static_cast<std::uint32_t>(row));
        }
        groups.of_row[row] = table[place];
    }
    return groups;
}

Block partial_groups(const Block& block,
                     const std::vector<std::string>& keys,
                     const std::vector<Aggregate>& aggregates) {
    if (block.fields().empty()) {
        return {};
    }
    check_keys(block, keys);
    for (const Aggregate& aggregate : aggregates) {
        check(block, aggregate);
    }
    Grouped grouped = group(block, keys);
    Block out = grouped.keys;
    StateMaker maker(out, grouped.groups, grouped.count);
    for (std::size_t i = 0; i < aggregates.size(); ++i) {
        maker.make(i, block, aggregates[i]);
    }
    return sorted(out, keys);
}

Block merge_groups(const Block& partial,
                   const std::vector<std::string>& keys,
                   const std::vector<Aggregate>& aggregates) {
    if (partial.fields().empty()) {
        return {};
    }
    Grouped grouped = group(partial, keys);
    Block out = grouped.keys;
    StateMerger merger(out, grouped.groups, grouped.count);
    for (std::size_t i = 0; i < aggregates.size(); ++i) {
        merger.merge(i, partial, aggregates[i]);
    }
    return sorted(out, keys);
}

Block finish_groups(const Block& merged,
                    const std::vector<std::string>& keys,
                    const std::vector<Aggregate>& aggregates) {
    if (merged.fields().empty()) {
        if (!keys.empty()) {
            return {};
        }
        // Nothing is known of the columns: not one block came.
        Block none;
        for (const Aggregate& aggregate : aggregates) {
            if (aggregate.kind == Kind::count) {
                none.add(name_of(aggregate), std::vector<std::uint64_t>{0});
            } else {
                none.add(name_of(aggregate),
                         std::vector<double>{aggregate.kind == Kind::sum ? 0 : nan});
            }
        }
        return none;
    }
    Block out = merged.select(keys);
    for (std::size_t i = 0; i < aggregates.size(); ++i) {
        const Aggregate& aggregate = aggregates[i];
        const auto adopt = [&](const std::string& state) {
            Block column = merged.select({state});
            out.adopt(column.rename(state, name_of(aggregate)), name_of(aggregate));
        };
        if (aggregate.kind == Kind::count) {
            adopt(state_name(i, "n"));
            continue;
        }
        if (aggregate.kind == Kind::sum) {
            adopt(state_name(i, "sum"));
            continue;
        }
        const auto counts = merged.column<std::uint64_t>(state_name(i, "n"));
        if (aggregate.kind == Kind::min || aggregate.kind == Kind::max) {
            const std::string best = state_name(i, "best");
            const ValueType type = merged.field(best).type;
            const bool has_nan = type == ValueType::float32 || type == ValueType::float64;
            if (!has_nan && std::count(counts.begin(), counts.end(), 0U) != 0) {
                throw Error(fmt::format("{} of column \"{}\" ({}): there are no rows",
                                        function_of(aggregate.kind),
                                        aggregate.column,
                                        to_string(type)),
                            ErrorCode::usage);
            }
            adopt(best);
            continue;
        }
        std::vector<double> values(counts.size());
        const bool is_mean = aggregate.kind == Kind::mean;
        const auto states = merged.column<double>(state_name(i, is_mean ? "sum" : "squares"));
        for (std::size_t row = 0; row < counts.size(); ++row) {
            const auto count = static_cast<double>(counts[row]);
            if (is_mean) {
                values[row] = counts[row] == 0 ? nan : states[row] / count;
            } else {
                values[row] = counts[row] < 2 ? nan : std::sqrt(states[row] / (count - 1));
            }
        }
        out.add(name_of(aggregate), values);
    }
    return out;
}

} // namespace muster::data::kernel
