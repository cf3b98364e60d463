#include "hdf5/call.hpp"

#include <fmt/format.h>

namespace muster::data::hdf5 {
namespace {

/// Guards HDF5's global tables where the library does not guard them itself.
std::recursive_mutex& library_mutex() {
    static std::recursive_mutex mutex;
    return mutex;
}

/// Asked once; the static's own lock keeps this first call alone in HDF5.
bool library_is_thread_safe() {
    static const bool safe = [] {
        hbool_t is_safe = 0;
        return H5is_library_threadsafe(&is_safe) >= 0 && is_safe;
    }();
    return safe;
}

herr_t keep_text(unsigned, const H5E_error2_t* entry, void* text) noexcept {
    try {
        if (entry->desc != nullptr && *entry->desc != '\0') {
            *static_cast<std::string*>(text) = entry->desc;
        }
    } catch (...) { // out of memory for a message: the walk ends, the shorter text stands
        return -1;
    }
    return 0;
}

} // namespace

Guard::Guard() {
    if (!library_is_thread_safe()) {
        lock_ = std::unique_lock(library_mutex());
    }
    H5Eget_auto2(H5E_DEFAULT, &printer_, &printer_data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Guard::~Guard() {
    H5Eset_auto2(H5E_DEFAULT, printer_, printer_data_);
}

std::string last_reason() {
    std::string reason;
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, &keep_text, &reason); // outermost first
    return reason.empty() ? "no reason given" : reason;
}

void fail(const Subject& subject,
          std::string_view action,
          std::string_view reason,
          std::string_view advice) {
    const std::string what =
        subject.dataset.empty()
            ? fmt::format("'{}'", subject.file)
            : fmt::format("dataset '{}' of '{}'", subject.dataset, subject.file);
    throw Error(fmt::format("cannot {} {}: HDF5 says '{}'; {}", action, what, reason, advice));
}

} // namespace muster::data::hdf5
