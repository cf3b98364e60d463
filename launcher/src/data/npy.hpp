#pragma once

#include "data/values.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace muster::launcher::data {

/// An array as it lies in a file: NumPy's, or bytes of which we were told what they are. Borrows
/// the bytes.
struct Array {
    ElementType type = ElementType::float32;
    std::uint64_t element_bytes = 0; ///< In the file.
    bool is_swapped = false;         ///< Bytes of a number the other way round than here.
    bool is_column_major = false;    ///< Fortran's order: the first axis varies fastest.
    bool is_wide_text = false;       ///< NumPy's U: four bytes a character; type is string.
    std::vector<std::uint64_t> shape;
    std::span<const std::byte> values; ///< Exactly those of all elements.

    [[nodiscard]] std::uint64_t rows() const { return shape.front(); }

    [[nodiscard]] std::uint64_t row_elements() const;
};

/// Reads the header of an .npy file, versions 1 to 3, and finds its values. Pure.
/// @return a Failure that names the byte where it is wrong: "byte 8: …".
[[nodiscard]] Result<Array> parse_npy(std::span<const std::byte> file);

/// Rows [first, first + count) in C's order and this machine's byte order; not for wide text.
/// Replaces the contents of `out`.
void copy_rows(const Array& array,
               std::uint64_t first,
               std::uint64_t count,
               std::vector<std::byte>& out);

/// The same of wide text, as UTF-8. What is no character becomes U+FFFD.
void copy_texts(const Array& array,
                std::uint64_t first,
                std::uint64_t count,
                std::vector<std::string>& out);

} // namespace muster::launcher::data
