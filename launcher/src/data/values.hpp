#pragma once

#include <muster/base/result.hpp>
#include <muster/data/new_column.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace muster::launcher::data {

using muster::data::ElementType;

/// Finds the type of a column of texts by looking at all of them. Pure.
///
/// Whole numbers are int64, or uint64 where they need it; other numbers float64; "true" and
/// "false", in any case, bool; everything else is text. Nothing is lost: whole numbers too large
/// for either, and such with zeros in front ("007", a name rather than a number), are text. Empty
/// fields make whole numbers float64, with NaN for them, and bools text.
class TypeGuess {
public:
    void see(std::string_view text);

    [[nodiscard]] ElementType type() const;

private:
    bool may_be_int_ = true;
    bool may_be_uint_ = true;
    bool may_be_real_ = true;
    bool may_be_bool_ = true;
    bool has_empty_ = false;
    bool has_large_whole_ = false; ///< One that float64 would round.
    bool has_value_ = false;
};

/// "float32", "bool" or "boolean", "string", "string8" (of 8 bytes), … and behind a colon the shape
/// of a row: "uint8:28x28".
struct TypeText {
    ElementType type = ElementType::float32;
    std::uint64_t string_bytes = 0;
    std::vector<std::uint64_t> row_shape{};

    bool operator==(const TypeText&) const = default;
};

/// @return a Failure (usage) that lists the types.
[[nodiscard]] Result<TypeText> parse_type(std::string_view text);

/// Appends the value that a text stands for, as it lies in memory; not for strings of any length.
/// @return a Failure: "'300' is no int8".
Result<std::monostate> append_value(ElementType type,
                                    std::uint64_t string_bytes,
                                    std::string_view text,
                                    std::vector<std::byte>& out);

} // namespace muster::launcher::data
