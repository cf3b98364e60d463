// Files of other programs that `muster data convert` reads: the first byte says as what the rest is
// read: CSV, an array of NumPy, or a zip archive of such.

#include "allocations.hpp"
#include "data/csv.hpp"
#include "data/npy.hpp"
#include "data/values.hpp"
#include "data/zip.hpp"

#include <algorithm>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace muster;
using namespace muster::launcher::data;

/// All fields of all records, however the text is cut.
std::string records(std::string_view text, std::size_t piece) {
    std::string all;
    CsvReader reader(',');
    const auto visit = [&](std::span<const std::string> fields,
                           std::uint64_t line) -> Result<std::monostate> {
        all += std::to_string(line) + ":";
        for (const std::string& field : fields) {
            all += field + ",";
        }
        return std::monostate{};
    };
    for (std::size_t at = 0; at < text.size(); at += piece) {
        if (const auto fed = reader.feed(text.substr(at, piece), visit); !fed) {
            return all + fed.error().message;
        }
    }
    const auto finished = reader.finish(visit);
    return finished ? all : all + finished.error().message;
}

void read_csv(std::string_view text) {
    if (records(text, text.size() + 1) != records(text, 1)) {
        std::abort(); // it matters how the text came
    }
    // A field is a string of its own, which takes 32 bytes where the text had a comma.
    const fuzz::Allocations allocations;
    CsvReader reader(',');
    std::vector<TypeGuess> guesses;
    std::vector<std::byte> values;
    const auto visit = [&](std::span<const std::string> fields,
                           std::uint64_t) -> Result<std::monostate> {
        guesses.resize(std::max(guesses.size(), fields.size()));
        for (std::size_t i = 0; i < fields.size(); ++i) {
            guesses[i].see(fields[i]);
            values.clear();
            (void)append_value(ElementType::int16, 0, fields[i], values);
            (void)append_value(ElementType::float64, 0, fields[i], values);
            (void)append_value(ElementType::fixed_string, 8, fields[i], values);
        }
        return std::monostate{};
    };
    if (reader.feed(text, visit)) {
        (void)reader.finish(visit);
    }
    allocations.expect_at_most(256, text.size());
}

void read_npy(std::span<const std::byte> bytes) {
    const fuzz::Allocations allocations;
    const auto array = parse_npy(bytes);
    if (array) {
        const std::uint64_t rows = std::min<std::uint64_t>(array->rows(), 4);
        const std::uint64_t first = array->rows() - rows;
        if (array->is_wide_text) {
            std::vector<std::string> texts;
            copy_texts(*array, first, rows, texts);
        } else {
            std::vector<std::byte> out;
            copy_rows(*array, first, rows, out);
            if (out.size() > bytes.size()) {
                std::abort(); // values that are not in the file
            }
        }
    }
    allocations.expect_at_most(64, bytes.size());
}

void read_zip(std::span<const std::byte> bytes) {
    const fuzz::Allocations allocations;
    const auto entries = parse_zip(bytes);
    if (entries) {
        for (const ZipEntry& entry : *entries) {
            std::uint64_t given = 0;
            (void)unpack(entry, [&](std::span<const std::byte> piece) { given += piece.size(); });
            if (given > entry.bytes) {
                std::abort(); // more than it says
            }
        }
    }
    // Entries take twice what their names and headers have; zlib has memory of its own, of a
    // constant size, and a piece of what is unpacked has 64 KiB at most.
    allocations.expect_at_most(16, bytes.size() + (std::size_t{64} << 10U));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
    switch (data[0] % 3) {
    case 0:
        read_csv({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        break;
    case 1:
        read_npy(bytes);
        break;
    default:
        read_zip(bytes);
        break;
    }
    return 0;
}
