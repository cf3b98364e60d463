#include "kernel/joining.hpp"

#include "kernel/grouping.hpp"
#include "kernel/keys.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace muster::data::kernel {
namespace {

struct Side {
    Block block;
    std::vector<std::uint32_t> order;
};

Side sorted_side(std::span<const Block> blocks, const std::vector<SortKey>& keys) {
    Side side{concat(blocks), {}};
    side.order = sorted_order(Keys(side.block, keys, "join"));
    return side;
}

/// Pairs of rows, one of which may be none.
struct Matches {
    std::vector<RowRef> left;
    std::vector<RowRef> right;

    void add(RowRef from_left, RowRef from_right) {
        left.push_back(from_left);
        right.push_back(from_right);
    }
};

Matches
match(const Side& left, const Side& right, const std::vector<SortKey>& keys, JoinKind kind) {
    const Keys left_keys(left.block, keys, "join");
    const Keys right_keys(right.block, keys, "join");
    const bool keep_left = kind == JoinKind::left || kind == JoinKind::full;
    const bool keep_right = kind == JoinKind::right || kind == JoinKind::full;
    Matches matches;
    std::size_t l = 0;
    std::size_t r = 0;
    while (l < left.order.size() || r < right.order.size()) {
        int order = 0;
        if (l == left.order.size()) {
            order = 1;
        } else if (r == right.order.size()) {
            order = -1;
        } else {
            order = left_keys.compare(left.order[l], right_keys, right.order[r]);
        }
        if (order < 0) {
            if (keep_left) {
                matches.add({0, left.order[l]}, {});
            }
            ++l;
        } else if (order > 0) {
            if (keep_right) {
                matches.add({}, {0, right.order[r]});
            }
            ++r;
        } else {
            std::size_t l_end = l;
            while (l_end < left.order.size() &&
                   left_keys.compare(left.order[l_end], right_keys, right.order[r]) == 0) {
                ++l_end;
            }
            std::size_t r_end = r;
            while (r_end < right.order.size() &&
                   left_keys.compare(left.order[l], right_keys, right.order[r_end]) == 0) {
                ++r_end;
            }
            for (std::size_t i = l; i < l_end; ++i) {
                for (std::size_t j = r; j < r_end; ++j) {
                    matches.add({0, left.order[i]}, {0, right.order[j]});
                }
            }
            l = l_end;
            r = r_end;
        }
    }
    return matches;
}

} // namespace

void check_join_keys(const Block& left, const Block& right, const std::vector<std::string>& keys) {
    if (left.fields().empty() || right.fields().empty()) {
        return;
    }
    for (const std::string& key : keys) {
        for (const auto& [block, side] : {std::pair{&left, "left"}, std::pair{&right, "right"}}) {
            if (!block->has(key)) {
                throw Error(
                    fmt::format("join: no column \"{}\" on the {} side; its columns are: {}",
                                key,
                                side,
                                describe(block->fields())),
                    ErrorCode::usage);
            }
        }
        if (left.field(key) != right.field(key)) {
            throw Error(fmt::format("join: the key \"{}\" is {} on the left and {} on the right; "
                                    "convert one of them with map_batches",
                                    key,
                                    to_string(left.field(key).type),
                                    to_string(right.field(key).type)),
                        ErrorCode::usage);
        }
    }
}

Block join(std::span<const Block> left_blocks,
           std::span<const Block> right_blocks,
           const std::vector<std::string>& keys,
           const JoinOptions& options) {
    const std::vector<SortKey> order = ascending(keys);
    const Side left = sorted_side(left_blocks, order);
    const Side right = sorted_side(right_blocks, order);
    check_join_keys(left.block, right.block, keys);
    const Matches matches = match(left, right, order, options.kind);

    // Keys come from whichever side has the row.
    std::vector<RowRef> of_keys(matches.left.size());
    for (std::size_t i = 0; i < of_keys.size(); ++i) {
        of_keys[i] = matches.left[i].block == RowRef::none ? RowRef{1, matches.right[i].row}
                                                           : matches.left[i];
    }
    const auto key_columns = [&](const Block& block) {
        return block.fields().empty() ? Block() : block.select(keys);
    };
    const Block sides[] = {key_columns(left.block), key_columns(right.block)};
    Block out = gather(sides, of_keys);
    const auto is_key = [&](const std::string& name) {
        return std::find(keys.begin(), keys.end(), name) != keys.end();
    };
    const Block from_left = gather({&left.block, 1}, matches.left);
    for (const Field& field : from_left.fields()) {
        if (!is_key(field.name)) {
            out.adopt(from_left, field.name);
        }
    }
    const Block from_right = gather({&right.block, 1}, matches.right);
    for (const Field& field : from_right.fields()) {
        if (is_key(field.name)) {
            continue;
        }
        if (!out.has(field.name)) {
            out.adopt(from_right, field.name);
            continue;
        }
        const std::string renamed = field.name + options.right_suffix;
        if (options.right_suffix.empty() || out.has(renamed) || from_right.has(renamed)) {
            throw Error(fmt::format("join: both sides have a column \"{}\"{}; rename one, or set "
                                    "JoinOptions::right_suffix; left: {}; right: {}",
                                    field.name,
                                    options.right_suffix.empty()
                                        ? ""
                                        : fmt::format(", and \"{}\" is taken, too", renamed),
                                    describe(left.block.fields()),
                                    describe(right.block.fields())),
                        ErrorCode::usage);
        }
        out.adopt(from_right.rename(field.name, renamed), renamed);
    }
    if (!options.source.empty() && !out.fields().empty()) {
        std::vector<std::uint8_t> source(of_keys.size());
        for (std::size_t i = 0; i < source.size(); ++i) {
            source[i] = static_cast<std::uint8_t>((matches.left[i].block == RowRef::none ? 0 : 1) +
                                                  (matches.right[i].block == RowRef::none ? 0 : 2));
        }
        out.add(options.source, source);
    }
    return out;
}

} // namespace muster::data::kernel
