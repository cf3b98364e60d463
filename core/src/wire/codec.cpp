#include "wire/codec.hpp"

namespace muster::wire {

Message::Message() = default;
Message::Message(const Message& other) = default;
Message::Message(Message&& other) noexcept = default;
Message& Message::operator=(const Message& other) = default;
Message& Message::operator=(Message&& other) noexcept = default;
Message::~Message() = default;

void encode_envelope(Writer& writer, Term term, const Message& message) {
    encode(writer, term);
    encode(writer, static_cast<const AnyMessage&>(message));
}

Result<Envelope> decode_envelope(std::span<const std::byte> bytes) {
    try {
        Reader reader(bytes);
        Envelope envelope;
        decode(reader, envelope.term);
        decode(reader, static_cast<AnyMessage&>(envelope.message));
        if (!reader.at_end()) {
            return Failure{ErrorCode::malformed, "message has bytes after its end"};
        }
        return envelope;
    } catch (const Error& error) {
        return Failure{error.code(), error.what()};
    }
}

} // namespace muster::wire
