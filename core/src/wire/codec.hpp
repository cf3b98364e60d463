#pragma once

#include "wire/messages.hpp"

#include <muster/base/result.hpp>
#include <muster/core/serialize.hpp>

#include <span>

namespace muster::wire {

/// Appends the envelope's bytes: the term, the message's index in Message, its fields.
void encode_envelope(Writer& writer, Term term, const Message& message);

/// The reverse. Bytes that are no envelope are a Failure, never a crash or a large allocation.
Result<Envelope> decode_envelope(std::span<const std::byte> bytes);

} // namespace muster::wire
