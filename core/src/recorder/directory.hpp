#pragma once

#include "journal/ledger.hpp"
#include "journal/liveness.hpp"
#include "recorder/file.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace muster::recorder {

using detail::KeyDigest;
using journal::BatchNumber;
using journal::JobNumber;
using journal::Location;

/// A journal's directory, as one job uses it:
///
///     segments/000001 ...  one per job, numbered in the order in which jobs came; appended to by
///                          that job alone, and locked by it while it lives
///     claims/000001 ...    claim batches, in the one order that all jobs see
///
/// A new name is taken by link(2): a file is written under a name that nobody looks for, and then
/// given the next number, which fails if another job was first. That is all the agreement there is,
/// and it needs neither locks nor a server, only a file system with hard links.
///
/// Threads: one at a time, but read_value(), which any thread may call.
class Directory {
public:
    struct Config {
        Path path;
        std::string program_version;
        std::string host;
        std::string boot; ///< Of the kernel; empty: as the system says.
        Duration silence_max = std::chrono::minutes{2}; ///< See journal::Liveness.
    };

    /// What opening found, for the log.
    struct Contents {
        std::size_t segments = 0;
        std::uint64_t results = 0;
        std::uint64_t damaged_bytes = 0;
    };

    /// Reads all there is into the ledger, and adds a segment for this job.
    /// @return a Failure if the directory cannot be used, or another version of the program wrote
    ///         in it; then nothing was changed.
    [[nodiscard]] static Result<std::unique_ptr<Directory>> open(Config config,
                                                                 journal::Ledger& ledger);

    [[nodiscard]] const Contents& contents() const { return contents_; }

    [[nodiscard]] const Path& path() const { return config_.path; }

    [[nodiscard]] std::uint64_t recorded() const { return recorded_; }

    /// Appends to the own segment. After a failure, what was appended before is whole, and nothing
    /// more can be.
    /// @param on_result  Called with (key, location) for every result that lies there now.
    template <class OnResult>
    [[nodiscard]] Result<std::monostate> append(std::vector<journal::Ledger::Entry>& entries,
                                                OnResult&& on_result) {
        std::size_t done = 0;
        while (done < entries.size()) {
            const std::size_t begin = done;
            std::vector<Location> places;
            if (auto failure = append_some(entries, done, places)) {
                return std::move(*failure);
            }
            for (std::size_t i = begin; i < done; ++i) {
                if (entries[i].kind == journal::RecordKind::result) {
                    on_result(entries[i].key, places[i - begin]);
                }
            }
        }
        return std::monostate{};
    }

    [[nodiscard]] Result<std::monostate> sync();

    /// Publishes at most `keys_max` that the ledger wants to claim, after reading what others have.
    /// `lock` guards the ledger, and is released while files are written.
    [[nodiscard]] Result<std::monostate>
    claim(journal::Ledger& ledger, std::unique_lock<std::mutex>& lock, std::size_t keys_max);

    /// Reads what other jobs have recorded, released and claimed, and which of them live.
    void look(TimePoint now, journal::Ledger& ledger);

    /// So that jobs on other nodes see that this one lives.
    void show_life();

    /// The value of a record, checked. Nothing if it cannot be read any more.
    [[nodiscard]] std::optional<Buffer> read_value(const KeyDigest& key,
                                                   const Location& location) const;

    /// "job 3 (process 4711 on n17)".
    [[nodiscard]] std::string describe(JobNumber job) const;

private:
    /// Another job's segment.
    struct Other {
        Path path;
        journal::SegmentStart start;
        UniqueFd fd; ///< While it lives.
        std::uint64_t read_to = 0;
        bool lives = true;
        journal::Liveness liveness;
    };

    explicit Directory(Config config) : config_(std::move(config)) {}

    [[nodiscard]] Result<std::monostate> prepare();
    [[nodiscard]] Result<std::monostate> meet(JobNumber job, journal::Ledger& ledger);
    [[nodiscard]] Result<std::monostate> add_own_segment(journal::Ledger& ledger);
    void read_records(JobNumber job, Other& other, journal::Ledger& ledger, bool at_open);
    [[nodiscard]] bool lives(TimePoint now, Other& other) const;
    void read_claims(journal::Ledger& ledger);
    void read_old_claims(journal::Ledger& ledger);
    bool read_batch(BatchNumber batch, journal::Ledger& ledger);
    [[nodiscard]] std::optional<Failure> append_some(std::vector<journal::Ledger::Entry>& entries,
                                                     std::size_t& done,
                                                     std::vector<Location>& places);
    [[nodiscard]] Path segment_path(JobNumber job) const;
    [[nodiscard]] Path claims_path(BatchNumber batch) const;

    Config config_;
    Contents contents_;
    std::map<JobNumber, Other> others_;
    JobNumber latest_job_ = 0;
    BatchNumber latest_batch_ = 0; ///< Read, or published.

    JobNumber self_ = 0;
    UniqueFd fd_;
    std::uint64_t end_ = 0; ///< Of the own segment's whole records.
    std::uint64_t recorded_ = 0;
    std::vector<std::byte> encoded_;

    /// Open for reading values; more segments than that are opened for each.
    static constexpr std::size_t open_max = 128;
    mutable std::mutex reading_; ///< Guards readable_.
    mutable std::map<JobNumber, std::shared_ptr<const UniqueFd>> readable_;
};

/// What the machine calls this boot of its kernel; the host's name where it does not.
[[nodiscard]] std::string boot_name(const std::string& host);

} // namespace muster::recorder
