#include "run/wire.hpp"

#include <fmt/format.h>

#include <charconv>
#include <concepts>
#include <cstdint>

namespace muster::launcher::run {
namespace {

/// One list of fields per message, read and written by the same function.
class Writer {
public:
    void operator()(const std::string& text) {
        append(text.size());
        bytes_ += text;
    }

    template <std::integral I>
    void operator()(I number) {
        (*this)(fmt::to_string(static_cast<std::int64_t>(number)));
    }

    void operator()(NodeId node) { (*this)(static_cast<int>(node)); }

    [[nodiscard]] std::string frame() const {
        Writer head;
        head.append(bytes_.size());
        return head.bytes_ + bytes_;
    }

private:
    void append(std::size_t size) {
        for (int i = 0; i < 4; ++i) {
            bytes_.push_back(static_cast<char>((size >> (8 * i)) & 0xff));
        }
    }

    std::string bytes_;
};

std::optional<std::size_t> read_size(std::string_view bytes) {
    if (bytes.size() < 4) {
        return std::nullopt;
    }
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) {
        size |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    }
    return size;
}

class Reader {
public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}

    void operator()(std::string& text) {
        const auto size = read_size(bytes_);
        if (!size || bytes_.size() - 4 < *size) {
            ok_ = false;
            bytes_ = {};
            return;
        }
        text = bytes_.substr(4, *size);
        bytes_.remove_prefix(4 + *size);
    }

    template <std::integral I>
    void operator()(I& number) {
        std::string text;
        (*this)(text);
        const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number_);
        ok_ = ok_ && error == std::errc{} && stop == text.data() + text.size() &&
              std::in_range<I>(number_);
        number = static_cast<I>(number_);
    }

    void operator()(bool& flag) {
        int number = 0;
        (*this)(number);
        flag = number != 0;
    }

    void operator()(NodeId& node) {
        int number = 0;
        (*this)(number);
        node = NodeId{number};
    }

    [[nodiscard]] bool complete() const { return ok_ && bytes_.empty(); }

private:
    std::string_view bytes_;
    std::int64_t number_ = 0;
    bool ok_ = true;
};

template <class Archive, class M>
void fields(Archive& archive, M& message) {
    using T = std::remove_const_t<M>;
    if constexpr (std::is_same_v<T, Hello>) {
        archive(message.secret);
        archive(message.joined.node);
        archive(message.joined.host);
        archive(message.joined.address);
        archive(message.joined.processes);
        archive(message.joined.port);
    } else if constexpr (std::is_same_v<T, RankEnded>) {
        archive(message.secret);
        archive(message.code);
    } else if constexpr (std::is_same_v<T, Exited>) {
        archive(message.node);
        archive(message.generation);
        archive(message.index);
        archive(message.ending.exit_code);
        archive(message.ending.signal);
        archive(message.ending.start);
        archive(message.pid);
        archive(message.error_tail);
        archive(message.error_file);
    } else if constexpr (std::is_same_v<T, Stopped>) {
        archive(message.node);
        archive(message.generation);
        archive(message.port);
    } else if constexpr (std::is_same_v<T, Signalled>) {
        archive(message.number);
    } else if constexpr (std::is_same_v<T, Start>) {
        auto& placement = message.placement;
        archive(message.node);
        archive(placement.generation);
        archive(placement.first_rank);
        archive(placement.world_size);
        archive(placement.first_local_rank);
        archive(placement.local_world_size);
        archive(placement.host_index);
        archive(placement.hosts);
        archive(placement.max_restarts);
        archive(placement.master_address);
        archive(placement.master_port);
    } else if constexpr (std::is_same_v<T, Stop>) {
        archive(message.node);
        archive(message.generation);
        archive(message.at_once);
    } else if constexpr (std::is_same_v<T, Forward>) {
        archive(message.node);
        archive(message.signal);
    } else {
        static_assert(std::is_same_v<T, Conclude>);
        archive(message.code);
    }
}

template <std::size_t I = 0>
bool read_alternative(std::size_t kind, Reader& reader, Message& message) {
    if constexpr (I < std::variant_size_v<Message>) {
        if (kind == I) {
            fields(reader, message.emplace<I>());
            return reader.complete();
        }
        return read_alternative<I + 1>(kind, reader, message);
    }
    return false;
}

} // namespace

std::string encode(const Message& message) {
    Writer writer;
    writer(message.index());
    std::visit([&](const auto& each) { fields(writer, each); }, message);
    return writer.frame();
}

std::optional<Message> Decoder::next() {
    if (failed_) {
        return std::nullopt;
    }
    const auto size = read_size(bytes_);
    if (!size) {
        return std::nullopt;
    }
    if (*size > frame_max_) {
        failed_ = true;
        return std::nullopt;
    }
    if (bytes_.size() - 4 < *size) {
        return std::nullopt;
    }
    Reader reader(std::string_view(bytes_).substr(4, *size));
    std::size_t kind = 0;
    reader(kind);
    std::optional<Message> message(std::in_place);
    if (!read_alternative(kind, reader, *message)) {
        failed_ = true;
        return std::nullopt;
    }
    bytes_.erase(0, 4 + *size);
    return message;
}

bool equal_secrets(std::string_view a, std::string_view b) {
    if (a.size() != b.size() || a.empty()) {
        return false;
    }
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^
                                            static_cast<unsigned char>(b[i]));
    }
    return difference == 0;
}

} // namespace muster::launcher::run
