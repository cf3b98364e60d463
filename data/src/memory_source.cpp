#include "table_source.hpp"

#include <muster/base/assert.hpp>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <mutex>
#include <utility>

namespace muster::data {
namespace {

/// Calls `use` with a value of the C++ type that `type` stands for.
template <class Use>
void with_type(ElementType type, const Use& use) {
    switch (type) {
    case ElementType::int8:
        return use(std::int8_t{});
    case ElementType::int16:
        return use(std::int16_t{});
    case ElementType::int32:
        return use(std::int32_t{});
    case ElementType::int64:
        return use(std::int64_t{});
    case ElementType::uint8:
        return use(std::uint8_t{});
    case ElementType::uint16:
        return use(std::uint16_t{});
    case ElementType::uint32:
        return use(std::uint32_t{});
    case ElementType::uint64:
        return use(std::uint64_t{});
    case ElementType::float32:
        return use(float{});
    case ElementType::float64:
        return use(double{});
    default:
        break;
    }
    MUSTER_ASSERT(!"an unsupported type was let through");
}

/// Copies `count` elements; `from` widens to `to`, so no value changes.
void convert(
    const std::byte* in, ElementType from, std::byte* out, ElementType to, std::size_t count) {
    if (from == to) {
        std::memcpy(out, in, count * size_bytes(from));
        return;
    }
    with_type(from, [&](auto stored) {
        with_type(to, [&](auto wanted) {
            const auto* source = reinterpret_cast<const decltype(stored)*>(in);
            auto* target = reinterpret_cast<decltype(wanted)*>(out);
            std::transform(source, source + count, target, [](auto value) {
                return static_cast<decltype(wanted)>(value);
            });
        });
    });
}

/// Columns of another source, held in memory as stored from their first use on.
class MemorySource final : public TableSource {
public:
    MemorySource(std::shared_ptr<TableSource> source, std::uint64_t bytes_max)
        : TableSource(source->file(), source->columns()), source_(std::move(source)),
          held_(columns().size()) {
        std::uint64_t budget = bytes_max;
        for (std::size_t i = 0; i < held_.size(); ++i) {
            const std::uint64_t bytes = columns()[i].rows() * row_bytes(i);
            held_[i].wanted = columns()[i].type != ElementType::unsupported && bytes <= budget;
            budget -= held_[i].wanted ? bytes : 0;
        }
    }

    void read_rows(std::size_t column,
                   std::uint64_t first,
                   std::uint64_t count,
                   ElementType as,
                   void* out) override {
        const std::byte* bytes = held(column);
        if (bytes == nullptr) {
            source_->read_rows(column, first, count, as, out);
            return;
        }
        convert(bytes + first * row_bytes(column),
                columns()[column].type,
                static_cast<std::byte*>(out),
                as,
                count * columns()[column].row_elements());
    }

    void gather(std::size_t column,
                std::span<const std::uint64_t> rows,
                ElementType as,
                void* out) override {
        const std::byte* bytes = held(column);
        if (bytes == nullptr) {
            source_->gather(column, rows, as, out);
            return;
        }
        const ElementType type = columns()[column].type;
        const std::uint64_t elements = columns()[column].row_elements();
        auto* target = static_cast<std::byte*>(out);
        for (const std::uint64_t row : rows) {
            convert(bytes + row * row_bytes(column), type, target, as, elements);
            target += elements * size_bytes(as);
        }
    }

private:
    struct Held {
        bool wanted = false;
        std::once_flag once; ///< Guards `bytes`, which never changes after it.
        std::unique_ptr<std::byte[]> bytes;
    };

    [[nodiscard]] std::uint64_t row_bytes(std::size_t column) const {
        return columns()[column].row_elements() * size_bytes(columns()[column].type);
    }

    /// The whole column, read now if it was not before; null for one that does not fit.
    /// A failed read is tried again by the next caller.
    const std::byte* held(std::size_t column) {
        Held& entry = held_[column];
        if (!entry.wanted) {
            return nullptr;
        }
        std::call_once(entry.once, [&] {
            const std::uint64_t rows = columns()[column].rows();
            auto bytes = std::make_unique_for_overwrite<std::byte[]>(rows * row_bytes(column));
            source_->read_rows(column, 0, rows, columns()[column].type, bytes.get());
            entry.bytes = std::move(bytes);
        });
        return entry.bytes.get();
    }

    std::shared_ptr<TableSource> source_;
    std::vector<Held> held_;
};

} // namespace

std::shared_ptr<TableSource> make_memory_source(std::shared_ptr<TableSource> source,
                                                std::uint64_t bytes_max) {
    return std::make_shared<MemorySource>(std::move(source), bytes_max);
}

} // namespace muster::data
