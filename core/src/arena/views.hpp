#pragma once

#include "wire/shared_place.hpp"

#include <muster/core/buffer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

namespace muster::arena {

/// Other processes' arenas, as far as this one reads them. One thread at a time; the buffers that
/// come of it may be used and destroyed on any thread, and outlive it.
class Views {
public:
    /// The bytes, where they lie. Writing to them is an error that the system stops. They stay
    /// readable when the process that has them is gone, but must not be freed there before `ended`
    /// was called, which the last copy of the buffer does.
    ///
    /// @return nothing if they cannot be read here (errno says why): then `ended` is not called.
    [[nodiscard]] std::optional<Buffer> open(const wire::SharedPlace& place,
                                             std::function<void()> ended);

private:
    class Mapping;

    using Key = std::tuple<std::int32_t, std::int32_t, std::uint64_t>;

    [[nodiscard]] std::shared_ptr<const Mapping> map(const wire::SharedPlace& place);

    std::map<Key, std::shared_ptr<const Mapping>> mappings_;
};

} // namespace muster::arena
