#pragma once

#include <muster/base/error.hpp>

#include <hdf5.h>

#include <mutex>
#include <string>
#include <string_view>

/// The one door to HDF5: every C call goes through checked(), which takes the lock, keeps HDF5
/// from printing, and turns its error stack into muster::Error.
namespace muster::data::hdf5 {

/// What a call is about, for its error message.
struct Subject {
    std::string_view file;
    std::string_view dataset = {}; ///< Empty: the file itself.
};

/// Held during a call. HDF5 has one set of global tables: a library built without thread safety
/// is called under one mutex of this process, which a thread may take again, as handles do that are
/// closed under it. Error printing is off meanwhile, and as it was afterwards: the application may
/// use HDF5 too.
class Guard {
public:
    Guard();
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

private:
    std::unique_lock<std::recursive_mutex> lock_;
    H5E_auto2_t printer_ = nullptr;
    void* printer_data_ = nullptr;
};

/// HDF5's reason for the last failure of this thread: the innermost text of its error stack, which
/// is the most specific one. Called under the Guard of the failed call.
[[nodiscard]] std::string last_reason();

/// "cannot <action> dataset 'd' of 'f': HDF5 says '<reason>'; <advice>".
[[noreturn]] void fail(const Subject& subject,
                       std::string_view action,
                       std::string_view reason,
                       std::string_view advice);

/// Carries out one C call. A negative result is thrown as Error.
template <class Call>
auto checked(const Subject& subject,
             std::string_view action,
             std::string_view advice,
             const Call& call) {
    const Guard guard;
    const auto result = call();
    if (result < 0) {
        fail(subject, action, last_reason(), advice);
    }
    return result;
}

/// Owns an HDF5 identifier and closes it; move-only.
template <herr_t (*close)(hid_t)>
class Handle {
public:
    Handle() = default;

    explicit Handle(hid_t id) : id_(id) {}

    ~Handle() { reset(); }

    Handle(Handle&& other) noexcept : id_(other.id_) { other.id_ = H5I_INVALID_HID; }

    Handle& operator=(Handle&& other) noexcept {
        if (this != &other) {
            reset();
            id_ = other.id_;
            other.id_ = H5I_INVALID_HID;
        }
        return *this;
    }

    Handle(const Handle&) = delete;
    Handle& operator=(const Handle&) = delete;

    [[nodiscard]] hid_t get() const { return id_; }

    /// Gives the identifier up: for those who close it themselves, to hear how that went.
    [[nodiscard]] hid_t release() {
        const hid_t id = id_;
        id_ = H5I_INVALID_HID;
        return id;
    }

private:
    void reset() noexcept {
        if (id_ >= 0) {
            const Guard guard;
            close(id_); // what was only read loses nothing if this fails
        }
        id_ = H5I_INVALID_HID;
    }

    hid_t id_ = H5I_INVALID_HID;
};

using File = Handle<&H5Fclose>;
using Dataset = Handle<&H5Dclose>;
using Space = Handle<&H5Sclose>;
using Type = Handle<&H5Tclose>;
using PropertyList = Handle<&H5Pclose>;

} // namespace muster::data::hdf5
