// The steps that plans themselves are made of: functions like those of users, and called like them.

#include "exec/tasks.hpp"
#include "kernel/gather.hpp"
#include "kernel/grouping.hpp"
#include "kernel/keys.hpp"

#include <muster/base/random.hpp>
#include <muster/pipeline/detail/step_call.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace muster::data::exec {
namespace {

using detail::StepContext;

/// A step of ours: `f(block, context, bound)`.
template <auto F, class B>
struct OwnStep {
    static constexpr bool takes_empty = true;
    using Bound = B;

    static constexpr const char* function_name() { return muster::detail::function_name<F>(); }

    static Block call(Block block, StepContext context, std::string_view arguments) {
        return F(block, context, detail::decode_bound<Bound>(arguments));
    }
};

template <auto F, class B>
Step own(const char* name, const B& bound) {
    Step step = detail::make_step<OwnStep<F, B>>(name, bound);
    step.name = name;
    return step;
}

using Names = std::vector<std::string>;
using Renaming = std::pair<std::string, std::string>;
using Sampling = std::pair<double, std::uint64_t>;

Block select_columns(const Block& block, StepContext, const Names& names) {
    return block.select(names);
}

Block drop_columns(const Block& block, StepContext, const Names& names) {
    return block.drop(names);
}

Block rename_column(const Block& block, StepContext, const Renaming& names) {
    return block.rename(names.first, names.second);
}

Block sample_rows(const Block& block, StepContext context, const Sampling& sampling) {
    Random random(sampling.second, context.block);
    std::vector<std::uint32_t> rows;
    for (std::uint64_t row = 0; row < block.rows(); ++row) {
        if (random.chance(sampling.first)) {
            rows.push_back(static_cast<std::uint32_t>(row));
        }
    }
    return kernel::gather(block, rows);
}

Block first_rows(const Block& block, StepContext, const std::uint64_t& rows) {
    return block.slice(0, std::min(block.rows(), rows));
}

Block sort_rows(const Block& block, StepContext, const std::vector<SortKey>& keys) {
    return kernel::gather(block, kernel::sorted_order(kernel::Keys(block, keys, "sort")));
}

Block unique_rows(const Block& block, StepContext, const std::vector<SortKey>& keys) {
    const auto first = kernel::group_rows(kernel::Keys(block, keys, "unique")).first;
    const Block once = kernel::gather(block, first);
    return kernel::gather(once, kernel::sorted_order(kernel::Keys(once, keys, "unique")));
}

Block sort_for_join(const Block& block, StepContext, const std::vector<SortKey>& keys) {
    return kernel::gather(block, kernel::sorted_order(kernel::Keys(block, keys, "join")));
}

Block make_partial(const Block& block,
                   StepContext,
                   const std::pair<Names, std::vector<Aggregate>>& group) {
    return kernel::partial_groups(block, group.first, group.second);
}

void append_text(std::string& line, std::string_view text) {
    if (text.find_first_of(",\"\n\r") == std::string_view::npos) {
        line += text;
        return;
    }
    line += '"';
    for (const char character : text) {
        line += character;
        if (character == '"') {
            line += '"';
        }
    }
    line += '"';
}

template <class T>
void append_number(std::string& line, T value) {
    if constexpr (std::is_same_v<T, bool>) {
        line += value ? "true" : "false";
    } else {
        std::array<char, 32> digits;
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
        line.append(digits.data(), end);
    }
}

/// Two texts: the line of names, and the block's lines.
Block to_csv(const Block& block, StepContext, const std::uint64_t&) {
    std::string names;
    for (const Field& field : block.fields()) {
        if (field.elements() != 1 || (field.type != ValueType::text && !is_real(field.type))) {
            throw Error(
                fmt::format("write_csv: column \"{}\" has no one number or text a row: select() "
                            "others, or write_hdf5; the columns are: {}",
                            field.name,
                            describe(block.fields())),
                ErrorCode::usage);
        }
        names += names.empty() ? "" : ",";
        append_text(names, field.name);
    }
    std::string lines;
    for (std::uint64_t row = 0; row < block.rows(); ++row) {
        for (std::size_t i = 0; i < block.fields().size(); ++i) {
            lines += i == 0 ? "" : ",";
            if (block.fields()[i].type == ValueType::text) {
                append_text(lines, block.texts_at(i)[row]);
                continue;
            }
            visit_real(block.fields()[i].type, [&]<class T>(std::type_identity<T>) {
                append_number(lines, reinterpret_cast<const T*>(block.values(i).data())[row]);
            });
        }
        lines += '\n';
    }
    Block text;
    text.add("#names", std::vector<std::string>{names + '\n'});
    text.add("#lines", std::vector<std::string>{lines});
    text.add("#rows", std::vector<std::uint64_t>{block.rows()});
    return text;
}

} // namespace

Step select_step(std::vector<std::string> columns) {
    Step step = own<&select_columns, Names>("select", columns);
    step.selects = std::move(columns);
    return step;
}

Step drop_step(std::vector<std::string> columns) {
    return own<&drop_columns, Names>("drop", columns);
}

Step rename_step(std::string from, std::string to) {
    return own<&rename_column, Renaming>("rename", {std::move(from), std::move(to)});
}

Step sample_step(double fraction, std::uint64_t seed) {
    return own<&sample_rows, Sampling>("sample", {fraction, seed});
}

Step csv_step() {
    return own<&to_csv, std::uint64_t>("write_csv", 0);
}

plan::OwnSteps own_steps() {
    plan::OwnSteps steps;
    steps.make_head = [](std::uint64_t rows) {
        return own<&first_rows, std::uint64_t>("limit", rows);
    };
    steps.make_sorted = [](const plan::Sort& sort) {
        return sort.unique ? own<&unique_rows, std::vector<SortKey>>("unique", sort.keys)
                           : own<&sort_rows, std::vector<SortKey>>("sort", sort.keys);
    };
    steps.make_join_sorted = [](const std::vector<std::string>& keys) {
        return own<&sort_for_join, std::vector<SortKey>>("join", kernel::ascending(keys));
    };
    steps.make_partial = [](const plan::Group& group) {
        return own<&make_partial, std::pair<Names, std::vector<Aggregate>>>(
            group.keys.empty() ? "aggregate" : "group_by", {group.keys, group.aggregates});
    };
    return steps;
}

} // namespace muster::data::exec
