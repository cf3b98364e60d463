#include "hdf5/steady_driver.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#if __has_include(<H5FDdevelop.h>)
#include <H5FDdevelop.h> // where HDF5 1.14 has what a driver is made of
#endif

namespace muster::data::hdf5 {
namespace {

/// What the system has not taken.
struct Held {
    haddr_t address;
    std::vector<unsigned char> bytes;
};

/// HDF5 sees its first member, and hands it back.
struct Steady {
    H5FD_t base{};
    int descriptor = -1;
    haddr_t end_of_allocation = 0;
    haddr_t end_of_file = 0;
    WriteHealth* health = nullptr;
    std::vector<Held> held{};
};

/// Handed to open() through the file access property list, which copies it.
struct Settings {
    WriteHealth* health;
};

Steady& of(H5FD_t* file) {
    return *reinterpret_cast<Steady*>(file);
}

const Steady& of(const H5FD_t* file) {
    return *reinterpret_cast<const Steady*>(file);
}

constexpr haddr_t address_max = (haddr_t{1} << 62U);

// HDF5 calls these with its lock held; they are C to it, so nothing may be thrown.

H5FD_t* steady_open(const char* name, unsigned flags, hid_t access, haddr_t) noexcept {
    const auto* settings = static_cast<const Settings*>(H5Pget_driver_info(access));
    if (settings == nullptr || (flags & H5F_ACC_CREAT) == 0) {
        return nullptr; // HDF5 tries whether it exists: it does not
    }
    const int descriptor = ::open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor < 0) {
        settings->health->error = errno;
        return nullptr;
    }
    auto* file = new (std::nothrow) Steady;
    if (file == nullptr) {
        ::close(descriptor);
        return nullptr;
    }
    file->descriptor = descriptor;
    file->health = settings->health;
    return &file->base;
}

herr_t steady_close(H5FD_t* base) noexcept {
    const std::unique_ptr<Steady> file(&of(base));
    if (::close(file->descriptor) != 0 && file->health->error == 0) {
        file->health->error = errno; // a network file system may say only now that it is full
    }
    return 0;
}

herr_t steady_query(const H5FD_t*, unsigned long* flags) noexcept {
    if (flags != nullptr) {
        *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
                 H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA |
                 H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    }
    return 0;
}

haddr_t steady_get_eoa(const H5FD_t* base, H5FD_mem_t) noexcept {
    return of(base).end_of_allocation;
}

herr_t steady_set_eoa(H5FD_t* base, H5FD_mem_t, haddr_t address) noexcept {
    of(base).end_of_allocation = address;
    return 0;
}

haddr_t steady_get_eof(const H5FD_t* base, H5FD_mem_t) noexcept {
    return of(base).end_of_file;
}

/// The part of `held` that lies in [address, address + size) is copied to where it belongs.
void overlay(const Held& held, haddr_t address, std::size_t size, unsigned char* out) {
    const haddr_t first = std::max(address, held.address);
    const haddr_t last = std::min(address + size, held.address + held.bytes.size());
    if (first < last) {
        std::memcpy(out + (first - address), &held.bytes[first - held.address], last - first);
    }
}

herr_t steady_read(
    H5FD_t* base, H5FD_mem_t, hid_t, haddr_t address, std::size_t size, void* buffer) noexcept {
    Steady& file = of(base);
    auto* const out = static_cast<unsigned char*>(buffer);
    std::size_t done = 0;
    while (done < size) {
        const ssize_t got =
            ::pread(file.descriptor, out + done, size - done, static_cast<off_t>(address + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    std::memset(out + done, 0, size - done); // behind the end, as HDF5 expects it
    for (const Held& held : file.held) {
        overlay(held, address, size, out);
    }
    return 0;
}

herr_t steady_write(H5FD_t* base,
                    H5FD_mem_t,
                    hid_t,
                    haddr_t address,
                    std::size_t size,
                    const void* buffer) noexcept {
    Steady& file = of(base);
    const auto* const bytes = static_cast<const unsigned char*>(buffer);
    std::size_t done = 0;
    while (done < size && file.health->error == 0) {
        const ssize_t put = ::pwrite(
            file.descriptor, bytes + done, size - done, static_cast<off_t>(address + done));
        if (put > 0) {
            done += static_cast<std::size_t>(put);
        } else if (put == 0 || errno != EINTR) {
            file.health->error = put == 0 ? ENOSPC : errno;
        }
    }
    if (done < size) {
        try {
            file.held.push_back({address + done, {bytes + done, bytes + size}});
        } catch (...) { // no memory either
            return -1;
        }
    }
    file.end_of_file = std::max(file.end_of_file, address + size);
    return 0;
}

/// Closing makes the file as long as what was allocated in it.
herr_t steady_truncate(H5FD_t* base, hid_t, hbool_t) noexcept {
    Steady& file = of(base);
    if (file.end_of_allocation != file.end_of_file) {
        if (file.health->error == 0 &&
            ::ftruncate(file.descriptor, static_cast<off_t>(file.end_of_allocation)) != 0) {
            file.health->error = errno;
        }
        file.end_of_file = file.end_of_allocation;
    }
    return 0;
}

/// Since HDF5 1.14 a driver says which version of this struct it fills, and a number of its own.
template <class Driver>
void name_version(Driver& driver) {
    if constexpr (requires { driver.version; }) {
        driver.version = 1;
        driver.value = static_cast<decltype(driver.value)>(512); // of the range for private use
    }
}

H5FD_class_t steady_class() {
    H5FD_class_t driver{};
    name_version(driver);
    driver.name = "muster_steady";
    driver.maxaddr = address_max;
    driver.fc_degree = H5F_CLOSE_WEAK;
    driver.fapl_size = sizeof(Settings);
    driver.open = &steady_open;
    driver.close = &steady_close;
    driver.query = &steady_query;
    driver.get_eoa = &steady_get_eoa;
    driver.set_eoa = &steady_set_eoa;
    driver.get_eof = &steady_get_eof;
    driver.read = &steady_read;
    driver.write = &steady_write;
    driver.truncate = &steady_truncate;
    constexpr H5FD_mem_t map[] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(map), std::end(map), std::begin(driver.fl_map));
    return driver;
}

/// Registered once; HDF5 keeps it until the process ends.
hid_t steady_driver() {
    static const H5FD_class_t driver = steady_class();
    static const hid_t id = H5FDregister(&driver);
    return id;
}

} // namespace

File create_file(const std::string& path, WriteHealth& health) {
    constexpr std::string_view advice = "check the folder and its permissions";
    const Subject subject{path};
    const PropertyList access(
        checked(subject, "write", advice, [] { return H5Pcreate(H5P_FILE_ACCESS); }));
    const Settings settings{&health};
    checked(subject, "write", advice, [&] {
        const hid_t driver = steady_driver();
        return driver < 0 ? herr_t{-1} : H5Pset_driver(access.get(), driver, &settings);
    });
    const Guard guard;
    const hid_t id = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access.get());
    if (id < 0) {
        if (health.error != 0) {
            throw Error(fmt::format(
                "cannot write '{}': {}; {}", path, std::strerror(health.error), advice));
        }
        fail(subject, "write", last_reason(), advice);
    }
    return File(id);
}

} // namespace muster::data::hdf5
