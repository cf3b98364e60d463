#include "sweep/output_file.hpp"

#include <muster/base/error.hpp>

#include <boost/crc.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>
#include <system_error>

namespace muster::launcher::sweep {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t chunk_mark = 0x4b48434d; // "MCHK"
constexpr std::size_t header_bytes = 32;
constexpr std::size_t entry_bytes = 48;
constexpr std::size_t read_bytes = std::size_t{1} << 20;

template <class T>
void put(std::string& text, T value) {
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        text += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xffU);
    }
}

template <class T>
T take(std::string_view& bytes) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    }
    bytes.remove_prefix(sizeof(T));
    return static_cast<T>(value);
}

std::uint32_t checksum(std::string_view bytes) {
    boost::crc_32_type sum;
    sum.process_bytes(bytes.data(), bytes.size());
    return sum.checksum();
}

struct Header {
    OutputId id = 0;
    std::uint32_t attempt = 0;
    Channel channel{};
    std::uint32_t size = 0;
};

std::string encode(const Header& header) {
    std::string body;
    put(body, header.id);
    put(body, header.attempt);
    put(body, header.size);
    put(body, static_cast<std::uint64_t>(header.channel));
    std::string text;
    put(text, chunk_mark);
    put(text, checksum(body));
    return text + body;
}

std::optional<Header> decode_header(std::string_view bytes) {
    if (bytes.size() < header_bytes || take<std::uint32_t>(bytes) != chunk_mark) {
        return std::nullopt;
    }
    const auto sum = take<std::uint32_t>(bytes);
    if (sum != checksum(bytes.substr(0, header_bytes - 8))) {
        return std::nullopt;
    }
    Header header;
    header.id = take<std::uint64_t>(bytes);
    header.attempt = take<std::uint32_t>(bytes);
    header.size = take<std::uint32_t>(bytes);
    const auto channel = take<std::uint64_t>(bytes);
    if (channel > static_cast<std::uint64_t>(Channel::end)) {
        return std::nullopt;
    }
    header.channel = static_cast<Channel>(channel);
    return header;
}

std::string encode(const Entry& entry) {
    std::string body;
    put(body, entry.id);
    put(body, entry.attempt);
    put(body, static_cast<std::uint32_t>(entry.exit_code));
    put(body, entry.begin);
    put(body, entry.end);
    put(body, std::uint64_t{0});
    put(body, std::uint32_t{0});
    put(body, checksum(body));
    return body;
}

std::optional<Entry> decode_entry(std::string_view bytes) {
    if (bytes.size() < entry_bytes) {
        return std::nullopt;
    }
    const auto sum = checksum(bytes.substr(0, entry_bytes - 4));
    Entry entry;
    entry.id = take<std::uint64_t>(bytes);
    entry.attempt = take<std::uint32_t>(bytes);
    entry.exit_code = static_cast<std::int32_t>(take<std::uint32_t>(bytes));
    entry.begin = take<std::uint64_t>(bytes);
    entry.end = take<std::uint64_t>(bytes);
    (void)take<std::uint64_t>(bytes);
    (void)take<std::uint32_t>(bytes);
    return take<std::uint32_t>(bytes) == sum ? std::optional(entry) : std::nullopt;
}

Error system_error(std::string_view what, const fs::path& path) {
    return Error(fmt::format("{} {}: {}", what, path.string(), std::strerror(errno)));
}

int open_or_throw(const fs::path& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (fd < 0) {
        throw system_error("cannot open", path);
    }
    return fd;
}

/// A file that is read at places.
class ReadFile {
public:
    explicit ReadFile(const fs::path& path)
        : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
        if (fd_ < 0 && errno != ENOENT) {
            throw system_error("cannot open", path);
        }
    }

    ReadFile(const ReadFile&) = delete;
    ReadFile& operator=(const ReadFile&) = delete;

    ~ReadFile() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }

    /// As many bytes as there are, up to the buffer's size.
    std::string_view read(std::uint64_t at, std::string& buffer) const {
        std::size_t got = 0;
        while (fd_ >= 0 && got < buffer.size()) {
            const ssize_t n = ::pread(
                fd_, buffer.data() + got, buffer.size() - got, static_cast<off_t>(at + got));
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n < 0) {
                throw system_error("cannot read", path_);
            }
            if (n == 0) {
                break;
            }
            got += static_cast<std::size_t>(n);
        }
        return std::string_view(buffer).substr(0, got);
    }

private:
    fs::path path_;
    int fd_;
};

/// Walks over whole chunks from `at`. `visit` gets each header and where its bytes lie.
/// @return where the first one begins that is not whole, or `end`.
template <class Visit>
std::uint64_t walk(const ReadFile& file, std::uint64_t at, std::uint64_t end, const Visit& visit) {
    std::string buffer(read_bytes, '\0');
    std::string bytes;
    std::string_view window;
    std::uint64_t window_at = at;
    while (at < end) {
        if (at + header_bytes > window_at + window.size()) {
            window = file.read(at, buffer);
            window_at = at;
        }
        const auto header = decode_header(window.substr(at - window_at));
        if (!header) {
            break;
        }
        const std::uint64_t body = at + header_bytes;
        if (body + header->size <= window_at + window.size()) {
            visit(*header, window.substr(body - window_at, header->size));
        } else {
            bytes.resize(header->size);
            if (file.read(body, bytes).size() < header->size) {
                break;
            }
            visit(*header, std::string_view(bytes));
        }
        at = body + header->size;
    }
    return at;
}

} // namespace

OutputWriter::OutputWriter(const fs::path& folder, const std::string& name)
    : path_(folder / (name + ".out")) {
    std::error_code error;
    fs::create_directories(folder, error);
    try {
        out_ = open_or_throw(path_, O_WRONLY | O_CREAT | O_APPEND);
        index_ = open_or_throw(folder / (name + ".idx"), O_WRONLY | O_CREAT | O_APPEND);
    } catch (const Error& reason) {
        throw OutputError(reason.what());
    }
    size_ = static_cast<std::uint64_t>(::lseek(out_, 0, SEEK_END));
    index_size_ = static_cast<std::uint64_t>(::lseek(index_, 0, SEEK_END));
}

OutputWriter::~OutputWriter() {
    for (const int fd : {out_, index_}) {
        if (fd >= 0) {
            ::close(fd);
        }
    }
}

std::uint64_t OutputWriter::position() {
    const std::lock_guard lock(mutex_);
    return size_;
}

void OutputWriter::append(int fd,
                          std::string_view header,
                          std::string_view bytes,
                          std::uint64_t& size) {
    std::array<iovec, 2> parts{{{const_cast<char*>(header.data()), header.size()},
                                {const_cast<char*>(bytes.data()), bytes.size()}}};
    std::size_t left = header.size() + bytes.size();
    while (left > 0) {
        const ssize_t n = ::writev(fd, parts.data(), 2);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            const OutputError error(
                system_error("cannot write what commands print to", path_).what());
            // Half a chunk would hide what follows it.
            [[maybe_unused]] const int cut = ::ftruncate(fd, static_cast<off_t>(size));
            throw error;
        }
        left -= static_cast<std::size_t>(n);
        for (auto written = static_cast<std::size_t>(n); auto& part : parts) {
            const std::size_t of_part = std::min(written, part.iov_len);
            part.iov_base = static_cast<char*>(part.iov_base) + of_part;
            part.iov_len -= of_part;
            written -= of_part;
        }
    }
    size += header.size() + bytes.size();
}

void OutputWriter::write(OutputId id,
                         std::uint32_t attempt,
                         Channel channel,
                         std::string_view bytes) {
    const std::string header =
        encode(Header{id, attempt, channel, static_cast<std::uint32_t>(bytes.size())});
    const std::lock_guard lock(mutex_);
    append(out_, header, bytes, size_);
}

void OutputWriter::finish(Entry entry) {
    const std::string code = std::to_string(entry.exit_code);
    const std::string header = encode(
        Header{entry.id, entry.attempt, Channel::end, static_cast<std::uint32_t>(code.size())});
    const std::lock_guard lock(mutex_);
    append(out_, header, code, size_);
    entry.end = size_;
    append(index_, encode(entry), {}, index_size_);
}

OutputFolder::OutputFolder(fs::path folder) : folder_(std::move(folder)) {
    std::error_code error;
    if (!fs::is_directory(folder_, error)) {
        throw UsageError(
            fmt::format("{}: is no directory with the output of a sweep", folder_.string()));
    }
}

void OutputFolder::find_files() {
    std::set<fs::path> known;
    for (const File& file : files_) {
        known.insert(file.path);
    }
    std::vector<fs::path> found;
    for (const auto& item : fs::directory_iterator(folder_)) {
        if (item.path().extension() == ".out") {
            found.push_back(fs::path(item.path()).replace_extension());
        }
    }
    std::sort(found.begin(), found.end());
    for (fs::path& path : found) {
        if (!known.contains(path)) {
            const std::string name = path.filename().string();
            files_.push_back({std::move(path), name.substr(0, name.rfind('-')), 0, 0});
        }
    }
}

void OutputFolder::place(const Attempt& attempt) {
    auto& attempts = attempts_[attempt.entry.id];
    const auto rank = [&](const Attempt& one) {
        return std::pair(std::string_view(files_[one.file].run), one.entry.attempt);
    };
    attempts.insert(
        std::upper_bound(attempts.begin(),
                         attempts.end(),
                         attempt,
                         [&](const Attempt& a, const Attempt& b) { return rank(a) < rank(b); }),
        attempt);
}

std::vector<OutputFolder::Attempt> OutputFolder::refresh() {
    find_files();
    std::vector<Attempt> ended;
    std::string buffer(entry_bytes * 20'000, '\0');
    for (std::size_t i = 0; i < files_.size(); ++i) {
        File& file = files_[i];
        const ReadFile index(fs::path(file.path) += ".idx");
        for (;;) {
            std::string_view bytes = index.read(file.index_read, buffer);
            const bool full = bytes.size() == buffer.size();
            for (; bytes.size() >= entry_bytes; bytes.remove_prefix(entry_bytes)) {
                file.index_read += entry_bytes;
                if (const auto entry = decode_entry(bytes)) { // else damaged: only this one is lost
                    ended.push_back({*entry, i});
                    place(ended.back());
                }
            }
            if (!full) {
                break;
            }
        }
    }
    return ended;
}

void OutputFolder::read(const Attempt& attempt, const Sink& sink) const {
    const Entry& entry = attempt.entry;
    const ReadFile file(fs::path(files_.at(attempt.file).path) += ".out");
    walk(file, entry.begin, entry.end, [&](const Header& header, std::string_view bytes) {
        if (header.id == entry.id && header.attempt == entry.attempt &&
            header.channel != Channel::end) {
            sink(header.channel, bytes);
        }
    });
}

void OutputFolder::read_new(const std::function<void(const Chunk&)>& sink) {
    find_files();
    for (File& file : files_) {
        const ReadFile out(fs::path(file.path) += ".out");
        file.read =
            walk(out, file.read, UINT64_MAX, [&](const Header& header, std::string_view bytes) {
                sink({header.id, header.attempt, header.channel, bytes});
            });
    }
}

} // namespace muster::launcher::sweep
