#pragma once

#include "wire/task_messages.hpp"

#include <optional>

namespace muster::store {

/// Says where a value lies before anybody has asked for it.
class Lender {
public:
    virtual ~Lender() = default;

    /// Lends `reader` a value that is kept here, if it could be read there where it lies; the
    /// value then stays until the reader says LoanEnded, or is lost.
    [[nodiscard]] virtual std::optional<wire::Loan> lend(ObjectId object, Rank reader) = 0;
};

} // namespace muster::store
