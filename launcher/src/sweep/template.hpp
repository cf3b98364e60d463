#pragma once

#include "sweep/rows.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::launcher::sweep {

/// Stands where a command's slot belongs until it is known where it runs: `{%}`.
inline constexpr std::string_view slot_mark = "\x01muster-slot\x01";

/// A text with replacement strings, as GNU parallel has them, read once and filled in often.
///
///     {}      all values, with blanks between them    {#}  the command's number, from 1
///     {2}     the second value                        {%}  the slot that it runs in, from 1
///     {seed}  the value of the column "seed"
///
/// and of each of the first three, as a path: {.} {2.} {seed.} without its extension, {/} without
/// its folders, {//} the folder, {/.} without both.
///
/// Other text in braces stays as it is, unless columns have names: then a word in braces that is
/// none of them is a mistake, and {{word}} means the text {word}.
class Template {
public:
    /// @throws UsageError for a column that is not there.
    Template(std::string_view text, const std::vector<std::string>& columns);

    /// @param quote  Put around each value.
    [[nodiscard]] std::string fill(const Row& row,
                                   std::uint64_t number,
                                   std::string (*quote)(std::string_view) = nullptr) const;

    /// Whether a value stands anywhere in it; a number or slot is none.
    [[nodiscard]] bool has_values() const;

private:
    enum class What { text, all, column, number, slot };
    enum class Part { whole, no_extension, name, folder, bare_name };

    struct Piece {
        What what = What::text;
        Part part = Part::whole;
        std::size_t column = 0;
        std::string text;
    };

    static std::optional<Piece> parse(std::string_view inside,
                                      const std::vector<std::string>& columns);
    [[nodiscard]] static std::string part_of(std::string_view value, Part part);

    std::vector<Piece> pieces_;
};

} // namespace muster::launcher::sweep
