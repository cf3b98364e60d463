#include <muster/core/detail/shared_value.hpp>

#include <mutex>

namespace muster::detail {
namespace {

struct Decoded {
    std::weak_ptr<const std::byte[]> encoded;
    std::mutex mutex; ///< Guards what follows; held while it is decoded.
    std::shared_ptr<const void> value;
};

struct Key {
    const std::byte* bytes = nullptr;
    std::size_t size = 0;
    std::type_index type;

    friend auto operator<=>(const Key&, const Key&) = default;
};

struct Table {
    std::mutex mutex; ///< Guards what follows.
    std::map<Key, std::shared_ptr<Decoded>> entries;

    // An address that is used again must not find what was there before.
    void forget_expired() {
        std::erase_if(entries, [](const auto& item) { return item.second->encoded.expired(); });
    }
};

// The process's, and not a rank's: ranks that are threads share it, too. Never destroyed: threads
// that outlive main() may still look.
Table& table() {
    static auto& table = *new Table;
    return table;
}

} // namespace

std::shared_ptr<const void>
decode_once(const Buffer& encoded,
            std::type_index type,
            const std::function<std::shared_ptr<const void>()>& decode) {
    std::shared_ptr<Decoded> entry;
    {
        Table& all = table();
        const std::lock_guard lock(all.mutex);
        all.forget_expired();
        auto& place = all.entries[{encoded.bytes().data(), encoded.size(), type}];
        if (place == nullptr) {
            place = std::make_shared<Decoded>();
            place->encoded = encoded.lifetime();
        }
        entry = place;
    }
    const std::lock_guard lock(entry->mutex);
    if (entry->value == nullptr) {
        entry->value = decode();
    }
    return entry->value;
}

void forget_decoded() noexcept {
    Table& all = table();
    const std::lock_guard lock(all.mutex);
    all.forget_expired();
}

} // namespace muster::detail
