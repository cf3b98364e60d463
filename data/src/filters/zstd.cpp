// The Zstandard filter registered as 32015: a frame (RFC 8878).

#include "filters/filter.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <memory>
#include <new>

namespace muster::data::filters {

bool has_zstd() {
    return true;
}

void undo_zstd(Bytes in, Room out) {
    struct Free {
        void operator()(ZSTD_DCtx* it) const { ZSTD_freeDCtx(it); }
    };

    thread_local const std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
    if (!context) {
        throw std::bad_alloc();
    }
    const std::size_t written =
        ZSTD_decompressDCtx(context.get(), out.data(), out.size(), in.data(), in.size());
    if (ZSTD_isError(written) != 0) {
        throw DecodeError(fmt::format("zstd: {}", ZSTD_getErrorName(written)));
    }
    if (written != out.size()) {
        throw DecodeError(fmt::format("zstd: it is {} bytes instead of {}", written, out.size()));
    }
}

} // namespace muster::data::filters
