#include "recorder/directory.hpp"

#include <muster/base/assert.hpp>
#include <muster/base/log.hpp>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>

namespace muster::recorder {
namespace {

using journal::RecordKind;

// Records are gathered to this size for one write; a larger value is written from where it is.
constexpr std::size_t write_bytes = std::size_t{1} << 20;
constexpr std::size_t copied_bytes_max = std::size_t{64} << 10;
// Segments are read in pieces of this size; a larger value is passed over, and checked when asked.
constexpr std::size_t piece_bytes = std::size_t{4} << 20;

std::int64_t seconds_since_1970() {
    return std::chrono::duration_cast<std::chrono::seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
}

std::string quoted_version(const std::string& version) {
    return version.empty() ? "no version" : fmt::format("version \"{}\"", version);
}

} // namespace

std::string boot_name(const std::string& host) {
    std::array<std::byte, 64> text{};
    const auto fd = open_file("/proc/sys/kernel/random/boot_id", O_RDONLY);
    const auto size = fd ? read_at(fd->get(), "boot_id", 0, text) : Result<std::size_t>(0);
    if (!size || *size == 0) {
        return host;
    }
    std::string name(reinterpret_cast<const char*>(text.data()), *size);
    name.erase(name.find_last_not_of(" \n") + 1);
    return name;
}

Path Directory::segment_path(JobNumber job) const {
    return config_.path / "segments" / number_name(job);
}

Path Directory::claims_path(BatchNumber batch) const {
    return config_.path / "claims" / number_name(batch);
}

std::string Directory::describe(JobNumber job) const {
    const auto other = others_.find(job);
    return other == others_.end() ? fmt::format("job {}", job)
                                  : fmt::format("job {} (process {} on {})",
                                                job,
                                                other->second.start.pid,
                                                other->second.start.host);
}

Result<std::unique_ptr<Directory>> Directory::open(Config config, journal::Ledger& ledger) {
    if (config.boot.empty()) {
        config.boot = boot_name(config.host);
    }
    std::unique_ptr<Directory> directory(new Directory(std::move(config)));
    if (const auto prepared = directory->prepare(); !prepared) {
        return prepared.error();
    }
    const auto jobs = list_numbers(directory->config_.path / "segments");
    if (!jobs) {
        return jobs.error();
    }
    for (const JobNumber job : *jobs) {
        if (const auto met = directory->meet(job, ledger); !met) {
            return met.error();
        }
    }
    if (const auto added = directory->add_own_segment(ledger); !added) {
        return added.error();
    }
    directory->read_old_claims(ledger);
    directory->read_claims(ledger);
    return directory;
}

Result<std::monostate> Directory::prepare() {
    struct ::stat status {};

    if (::stat(config_.path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
        return Failure{ErrorCode::usage,
                       fmt::format("{} is not a directory", config_.path.native())};
    }
    for (const char* const part : {"segments", "claims"}) {
        if (auto made = make_folder(config_.path / part); !made) {
            return made.error();
        }
    }
    return std::monostate{};
}

Result<std::monostate> Directory::meet(JobNumber job, journal::Ledger& ledger) {
    Other other;
    other.path = segment_path(job);
    other.liveness = journal::Liveness(config_.silence_max);
    auto fd = open_file(other.path, O_RDONLY);
    if (!fd) {
        return fd.error();
    }
    other.fd = std::move(*fd);
    std::vector<std::byte> bytes(std::size_t{64} << 10);
    const auto size = read_at(other.fd.get(), other.path, 0, bytes);
    if (!size) {
        return size.error();
    }
    latest_job_ = std::max(latest_job_, job);
    if (*size == 0) {
        // A crash of the machine took what had not reached its disk.
        log::warn("journal", "empty_segment file={} : nothing is in it", other.path.native());
        ledger.on_job_ended(job);
        return std::monostate{};
    }
    journal::SegmentReader reader(std::span<const std::byte>(bytes).first(*size));
    const auto first = reader.next();
    const auto start = first ? journal::decode_start(*first)
                             : Result<journal::SegmentStart>(Failure{
                                   ErrorCode::malformed, "does not start as a segment does"});
    if (!start) {
        return Failure{ErrorCode::malformed,
                       fmt::format("{} {}: move it away to go on without what it records",
                                   other.path.native(),
                                   start.error().message)};
    }
    if (start->program_version != config_.program_version) {
        return Failure{
            ErrorCode::usage,
            fmt::format("its results are from {} of the program (job {} on {}, {:%F %R}), and this "
                        "is {}. Use another directory for this version; or, if the results are "
                        "still right, say so: MUSTER_PROGRAM_VERSION={}",
                        quoted_version(start->program_version),
                        job,
                        start->host,
                        fmt::localtime(static_cast<std::time_t>(start->started)),
                        quoted_version(config_.program_version),
                        start->program_version.empty() ? "\"\"" : start->program_version)};
    }
    other.start = *start;
    const auto place = others_.emplace(job, std::move(other)).first;
    ++contents_.segments;
    const bool alive = lives(std::chrono::steady_clock::now(), place->second);
    read_records(job, place->second, ledger, true);
    if (!alive || !place->second.lives) {
        place->second.lives = false;
        place->second.fd.reset();
        ledger.on_job_ended(job);
    }
    return std::monostate{};
}

Result<std::monostate> Directory::add_own_segment(journal::Ledger& ledger) {
    const Path temporary = config_.path / "segments" /
                           fmt::format(".new-{}-{}-{:x}",
                                       config_.host,
                                       ::getpid(),
                                       std::chrono::steady_clock::now().time_since_epoch().count() ^
                                           reinterpret_cast<std::intptr_t>(this));
    auto fd = open_file(temporary, O_RDWR | O_CREAT | O_EXCL | O_APPEND);
    if (!fd) {
        return fd.error();
    }
    journal::SegmentStart start;
    start.format = journal::segment_format;
    start.program_version = config_.program_version;
    start.host = config_.host;
    start.boot = config_.boot;
    start.pid = ::getpid();
    start.started = seconds_since_1970();
    start.locked = lock_file(fd->get());
    const auto give_up = [&](const Failure& failure) {
        ::unlink(temporary.c_str());
        return failure;
    };
    for (JobNumber job = latest_job_ + 1;; ++job) {
        start.job = job;
        encoded_.clear();
        journal::encode_record(encoded_, RecordKind::start, {}, 0, to_buffer(start).bytes());
        if (::ftruncate(fd->get(), 0) != 0) {
            return give_up(system_failure("write", temporary));
        }
        if (const auto written = write_all(fd->get(), temporary, encoded_); !written) {
            return give_up(written.error());
        }
        if (const auto synced = sync_data(fd->get(), temporary); !synced) {
            return give_up(synced.error());
        }
        const auto linked = link_file(temporary, segment_path(job));
        if (!linked) {
            return give_up(linked.error());
        }
        if (*linked) {
            self_ = job;
            break;
        }
        // One that came at the same time. Both look at all that came before them.
        if (const auto met = meet(job, ledger); !met) {
            return give_up(met.error());
        }
    }
    ::unlink(temporary.c_str());
    sync_folder(config_.path / "segments");
    fd_ = std::move(*fd);
    end_ = encoded_.size();
    latest_job_ = self_;
    ledger.set_self(self_);
    return std::monostate{};
}

bool Directory::lives(TimePoint now, Other& other) const {
    struct ::stat status {};

    if (::fstat(other.fd.get(), &status) != 0) {
        return false;
    }
    std::optional<bool> lock_held;
    if (other.start.locked && other.start.boot == config_.boot) {
        lock_held = is_locked(other.fd.get());
    }
    const auto trace = static_cast<std::uint64_t>(status.st_size) ^
                       (static_cast<std::uint64_t>(status.st_mtim.tv_sec) << 20) ^
                       (static_cast<std::uint64_t>(status.st_mtim.tv_nsec) << 40);
    return other.liveness.observe(now, lock_held, trace);
}

void Directory::read_records(JobNumber job, Other& other, journal::Ledger& ledger, bool at_open) {
    const auto result = [&](const journal::RecordHeader& header, std::uint64_t offset) {
        contents_.results += at_open ? 1 : 0;
        ledger.on_result(header.key, {job, offset, header.value_bytes, header.extra});
    };
    const auto damaged = [&](std::size_t bytes) {
        if (bytes > 0) {
            contents_.damaged_bytes += bytes;
            log::warn("journal",
                      "damaged file={} bytes={} : what was recorded there is computed again",
                      other.path.native(),
                      bytes);
        }
    };
    std::vector<std::byte> piece;
    while (true) {
        struct ::stat status {};

        if (::fstat(other.fd.get(), &status) != 0 ||
            static_cast<std::uint64_t>(status.st_size) <= other.read_to) {
            return;
        }
        const auto left = static_cast<std::uint64_t>(status.st_size) - other.read_to;
        piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, piece_bytes)));
        const auto size = read_at(other.fd.get(), other.path, other.read_to, piece);
        if (!size) {
            log::warn("journal", "unreadable why=\"{}\"", size.error().message);
            return;
        }
        const auto bytes = std::span<const std::byte>(piece).first(*size);
        journal::SegmentReader reader(bytes);
        std::size_t intact_to = 0;
        std::size_t damaged_before = 0;
        while (const auto record = reader.next()) {
            intact_to = reader.offset();
            damaged_before = reader.damaged_bytes();
            switch (record->header.kind) {
            case RecordKind::result:
                result(record->header, other.read_to + record->offset);
                break;
            case RecordKind::released:
                ledger.on_released(record->header.key,
                                   static_cast<BatchNumber>(record->header.extra));
                break;
            case RecordKind::end:
                other.lives = false;
                break;
            default:
                break;
            }
        }
        if (*size == left) {
            // What follows the last intact record may still be being written, or be a torn tail:
            // it is read again when there is more.
            damaged(damaged_before);
            other.read_to += intact_to;
            return;
        }
        if (reader.offset() > 0) {
            damaged(reader.damaged_bytes());
            other.read_to += reader.offset();
            continue;
        }
        // A value larger than the piece: passed over here, and checked when it is asked for.
        const auto header = journal::decode_header(bytes);
        if (!header || header->value_bytes > left - journal::record_header_bytes) {
            return;
        }
        if (header->kind == RecordKind::result) {
            result(*header, other.read_to);
        }
        other.read_to += journal::record_header_bytes + header->value_bytes;
    }
}

void Directory::read_old_claims(journal::Ledger& ledger) {
    const auto batches = list_numbers(config_.path / "claims");
    if (!batches || batches->empty()) {
        return;
    }
    // With nobody else about, no claim is in force. Only the latest batch must stay: its number
    // tells everybody what the next one is. A job that comes now passes over what is gone.
    const bool alone = std::none_of(
        others_.begin(), others_.end(), [](const auto& other) { return other.second.lives; });
    for (const BatchNumber batch : *batches) {
        if (!alone) {
            read_batch(batch, ledger);
        } else if (batch != batches->back()) {
            ::unlink(claims_path(batch).c_str());
        }
    }
    latest_batch_ = batches->back();
}

bool Directory::read_batch(BatchNumber batch, journal::Ledger& ledger) {
    const auto bytes = read_file(claims_path(batch));
    if (!bytes) {
        return false;
    }
    // Not intact after a crash of the machine: whose claims they were is gone, too.
    const auto claims = journal::decode_claims(*bytes);
    ledger.on_claims(batch, claims ? *claims : journal::Claims{});
    return true;
}

void Directory::read_claims(journal::Ledger& ledger) {
    while (read_batch(latest_batch_ + 1, ledger)) {
        ++latest_batch_;
    }
}

Result<std::monostate> Directory::claim(journal::Ledger& ledger,
                                        std::unique_lock<std::mutex>& lock,
                                        std::size_t keys_max) {
    constexpr int rounds_max = 100; // others may be first some times, but not for ever
    const Path temporary = config_.path / "claims" / fmt::format(".job-{}", number_name(self_));
    for (int round = 0; round < rounds_max; ++round) {
        read_claims(ledger);
        const auto keys = ledger.next_claims(keys_max);
        if (keys.empty()) {
            return std::monostate{};
        }
        const auto publish = [&]() -> Result<bool> {
            const auto bytes = journal::encode_claims(self_, keys);
            auto fd = open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
            if (!fd) {
                return fd.error();
            }
            if (auto written = write_all(fd->get(), temporary, bytes); !written) {
                return written.error();
            }
            fd->reset(); // over NFS what is written is seen by others once it is closed
            auto linked = link_file(temporary, claims_path(latest_batch_ + 1));
            ::unlink(temporary.c_str());
            return linked;
        };
        lock.unlock();
        const auto published = publish();
        lock.lock();
        if (!published) {
            ::unlink(temporary.c_str());
            ledger.on_claim_lost(keys);
            return published.error();
        }
        if (*published) {
            ledger.on_claimed(++latest_batch_, keys);
            return std::monostate{};
        }
        ledger.on_claim_lost(keys);
    }
    return std::monostate{};
}

void Directory::look(TimePoint now, journal::Ledger& ledger) {
    for (bool more = true; more;) {
        more = ::access(segment_path(latest_job_ + 1).c_str(), F_OK) == 0 &&
               meet(latest_job_ + 1, ledger).has_value();
    }
    for (auto& [job, other] : others_) {
        if (!other.lives) {
            continue;
        }
        // In this order: what it has recorded before it ended is read.
        const bool alive = lives(now, other);
        read_records(job, other, ledger, false);
        if (!alive || !other.lives) {
            if (other.lives) {
                log::info("journal", "job_gone who=\"{}\"", describe(job));
            }
            other.lives = false;
            other.fd.reset();
            ledger.on_job_ended(job);
        }
    }
    read_claims(ledger);
}

void Directory::show_life() {
    (void)::futimens(fd_.get(), nullptr);
}

std::optional<Failure> Directory::append_some(std::vector<journal::Ledger::Entry>& entries,
                                              std::size_t& done,
                                              std::vector<Location>& places) {
    encoded_.clear();
    std::uint64_t end = end_;
    std::uint64_t results = 0;
    std::span<const std::byte> large; // written from where it is, behind the rest
    std::size_t taken = done;
    for (; taken < entries.size() && encoded_.size() < write_bytes && large.empty(); ++taken) {
        const auto& entry = entries[taken];
        const auto value = entry.value.bytes();
        places.push_back({self_, end, static_cast<std::uint32_t>(value.size()), entry.extra});
        if (value.size() > copied_bytes_max) {
            journal::encode_header(encoded_, entry.kind, entry.key, entry.extra, value);
            large = value;
        } else {
            journal::encode_record(encoded_, entry.kind, entry.key, entry.extra, value);
        }
        end += journal::record_header_bytes + value.size();
        results += entry.kind == RecordKind::result ? 1 : 0;
    }
    const Path path = segment_path(self_);
    auto written = write_all(fd_.get(), path, encoded_);
    if (written && !large.empty()) {
        written = write_all(fd_.get(), path, large);
    }
    if (!written) {
        // So that nothing half written is left; where that fails, it is a torn tail.
        (void)!::ftruncate(fd_.get(), static_cast<::off_t>(end_));
        return written.error();
    }
    end_ = end;
    recorded_ += results;
    done = taken;
    return std::nullopt;
}

Result<std::monostate> Directory::sync() {
    return sync_data(fd_.get(), segment_path(self_));
}

std::optional<Buffer> Directory::read_value(const KeyDigest& key, const Location& location) const {
    std::shared_ptr<const UniqueFd> file;
    {
        const std::lock_guard lock(reading_);
        const auto place = readable_.find(location.segment);
        if (place != readable_.end()) {
            file = place->second;
        }
    }
    if (!file) {
        auto fd = open_file(segment_path(location.segment), O_RDONLY);
        if (!fd) {
            log::warn("journal", "unreadable why=\"{}\"", fd.error().message);
            return std::nullopt;
        }
        file = std::make_shared<const UniqueFd>(std::move(*fd));
        const std::lock_guard lock(reading_);
        if (readable_.size() < open_max) {
            readable_.emplace(location.segment, file);
        }
    }
    std::array<std::byte, journal::record_header_bytes> head{};
    auto value = allocate_bytes(std::max<std::size_t>(location.value_bytes, 1));
    const std::array<::iovec, 2> pieces{
        {{head.data(), head.size()}, {value.get(), location.value_bytes}}};
    const ::ssize_t got =
        ::preadv(file->get(), pieces.data(), 2, static_cast<::off_t>(location.offset));
    std::size_t size = got < 0 ? 0 : static_cast<std::size_t>(got);
    if (got >= static_cast<::ssize_t>(head.size()) && size < head.size() + location.value_bytes) {
        // Large ones come in several pieces.
        const std::size_t have = size - head.size();
        const auto rest = read_at(file->get(),
                                  segment_path(location.segment),
                                  location.offset + size,
                                  {value.get() + have, location.value_bytes - have});
        size += rest ? *rest : 0;
    }
    const auto header = journal::decode_header(head);
    Buffer buffer(std::move(value), location.value_bytes);
    if (size != head.size() + location.value_bytes || !header || header->key != key ||
        !journal::value_is_intact(*header, buffer.bytes())) {
        log::warn("journal",
                  "damaged file={} offset={} : what was recorded there is computed again",
                  segment_path(location.segment).native(),
                  location.offset);
        return std::nullopt;
    }
    return buffer;
}

} // namespace muster::recorder
