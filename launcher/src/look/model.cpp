#include "look/model.hpp"

#include <muster/base/ids.hpp>
#include <muster/look/task_name.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

namespace muster::launcher::look {
namespace {

namespace trace = muster::look;

/// "rank 3", "ranks 3, 5 to 9"
std::string list_ranks(const std::vector<std::int32_t>& ranks) {
    std::string text;
    for (std::size_t i = 0; i < ranks.size();) {
        std::size_t last = i;
        while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) {
            ++last;
        }
        text += text.empty() ? "" : ", ";
        text += last == i ? fmt::format("{}", ranks[i])
                          : fmt::format("{} to {}", ranks[i], ranks[last]);
        i = last + 1;
    }
    return (ranks.size() == 1 ? "rank " : "ranks ") + text;
}

} // namespace

std::string Model::function_name(std::uint32_t function) const {
    const auto place = functions.find(function);
    return place == functions.end() ? fmt::format("function {}", function) : place->second;
}

const Submitted* Model::submission_of(std::uint64_t task) const {
    const auto after = std::upper_bound(
        submitted.begin(), submitted.end(), task, [](std::uint64_t id, const Submitted& one) {
            return id < one.first;
        });
    if (after == submitted.begin()) {
        return nullptr;
    }
    const Submitted& one = *(after - 1);
    return (task - one.first) / one.stride < one.count ? &one : nullptr;
}

const std::string& Model::own_name(std::uint64_t task) const {
    const Submitted* const one = submission_of(task);
    return own_names[one == nullptr ? 0 : one->name];
}

std::string task_name(std::uint64_t task) {
    return muster::look::task_name(TaskId{task});
}

void ModelBuilder::add(
    const trace::TraceHeader& header,
    const ClockMap& clock,
    const trace::Names& names,
    const std::vector<std::pair<std::uint32_t, std::vector<trace::Record>>>& lanes,
    bool complete,
    std::string damage,
    bool clock_known) {
    model_.run_id = header.run_id;
    model_.world_size = std::max(model_.world_size, header.world_size);
    TracedRank rank{header, complete, std::move(damage), clock_known, 0};
    begins_.push_back(clock.map(header.monotonic_ns));
    rank.last = begins_.back();
    std::unordered_map<std::uint32_t, std::uint32_t> own; // from the rank's numbers to the model's
    for (const auto& [number, name] : names) {
        if (number < trace::own_names_begin) {
            model_.functions.emplace(number, name);
            continue;
        }
        const auto [place, is_new] =
            numbers_.try_emplace(name, static_cast<std::uint32_t>(model_.own_names.size()));
        if (is_new) {
            model_.own_names.push_back(name);
        }
        own[number] = place->second;
    }
    // A duration is long enough that its end need not be mapped by itself.
    const auto span_of = [&](const trace::Record& record) {
        const std::int64_t begin = clock.map(record.begin);
        const std::int64_t end = begin + static_cast<std::int64_t>(record.value);
        rank.last = std::max(rank.last, end);
        return std::pair(begin, end);
    };
    for (const auto& [lane, records] : lanes) {
        for (const trace::Record& record : records) {
            switch (record.event) {
            case trace::Event::ran: {
                const auto [begin, end] = span_of(record);
                model_.slices.push_back({record.id,
                                         begin,
                                         end,
                                         record.number,
                                         lane,
                                         header.rank,
                                         record.small,
                                         record.detail,
                                         false});
                break;
            }
            case trace::Event::submitted:
                rank.last = std::max(rank.last, clock.map(record.begin));
                model_.submitted.push_back(
                    {record.id, record.value, 1, clock.map(record.begin), 0, record.number, 0});
                break;
            case trace::Event::submitted_by:
                if (!model_.submitted.empty() && model_.submitted.back().first == record.id) {
                    Submitted& last = model_.submitted.back();
                    last.stride =
                        std::max<std::uint64_t>(1, static_cast<std::uint64_t>(record.begin));
                    last.parent = record.value;
                    const auto name = own.find(record.number);
                    last.name = name == own.end() ? 0 : name->second;
                }
                break;
            case trace::Event::depends:
                model_.edges.emplace_back(record.id, record.value);
                break;
            case trace::Event::transfer: {
                const auto [begin, end] = span_of(record);
                model_.transfers.push_back(
                    {begin, end, record.id, static_cast<std::int32_t>(record.number), header.rank});
                break;
            }
            case trace::Event::collective: {
                const auto [begin, end] = span_of(record);
                model_.collectives.push_back({record.id,
                                              begin,
                                              end,
                                              (std::uint64_t{record.small} << 32U) | record.number,
                                              header.rank,
                                              lane,
                                              record.detail});
                break;
            }
            case trace::Event::waited: {
                const auto [begin, end] = span_of(record);
                model_.waits.push_back({record.id, 0, begin, end, header.rank, lane});
                break;
            }
            case trace::Event::waited_for:
                if (!model_.waits.empty() && model_.waits.back().task == record.id &&
                    model_.waits.back().lane == lane && model_.waits.back().rank == header.rank) {
                    model_.waits.back().object = record.value;
                }
                break;
            case trace::Event::runs: {
                Slice& slice = running_[record.id];
                slice = {record.id,
                         clock.map(record.begin),
                         clock.map(static_cast<std::int64_t>(record.value)),
                         record.number,
                         lane,
                         header.rank,
                         0,
                         0,
                         true};
                rank.last = std::max(rank.last, slice.end);
                break;
            }
            case trace::Event::failed_because:
                if (const auto why = own.find(record.number); why != own.end()) {
                    model_.why_failed[record.id] = why->second;
                }
                break;
            case trace::Event::clock:
                break;
            }
        }
    }
    model_.ranks.push_back(std::move(rank));
}

Model ModelBuilder::finish() {
    for (const Slice& slice : model_.slices) {
        const auto said = running_.find(slice.task);
        if (said != running_.end() && slice.end >= said->second.end) {
            running_.erase(said); // it ended after that was written
        }
    }
    for (const auto& [task, slice] : running_) {
        model_.slices.push_back(slice);
    }
    std::sort(model_.ranks.begin(), model_.ranks.end(), [](const auto& a, const auto& b) {
        return a.header.rank < b.header.rank;
    });
    const std::int64_t zero =
        begins_.empty() ? 0 : *std::min_element(begins_.begin(), begins_.end());
    const auto shift = [&](auto& items) {
        for (auto& item : items) {
            item.begin -= zero;
            item.end -= zero;
        }
    };
    shift(model_.slices);
    shift(model_.transfers);
    shift(model_.collectives);
    shift(model_.waits);
    for (Submitted& one : model_.submitted) {
        one.at -= zero;
    }
    for (TracedRank& rank : model_.ranks) {
        rank.last -= zero;
        model_.end = std::max(model_.end, rank.last);
    }
    std::sort(model_.slices.begin(), model_.slices.end(), [](const Slice& a, const Slice& b) {
        return std::tuple(a.begin, a.rank, a.lane, a.task) <
               std::tuple(b.begin, b.rank, b.lane, b.task);
    });
    std::sort(model_.submitted.begin(), model_.submitted.end(), [](const auto& a, const auto& b) {
        return a.first < b.first;
    });
    std::sort(model_.edges.begin(), model_.edges.end());
    std::sort(model_.waits.begin(), model_.waits.end(), [](const Wait& a, const Wait& b) {
        return std::tuple(a.end, a.rank, a.lane) < std::tuple(b.end, b.rank, b.lane);
    });
    std::int32_t next = 0;
    for (const TracedRank& rank : model_.ranks) {
        for (; next < rank.header.rank; ++next) {
            model_.missing.push_back(next);
        }
        next = rank.header.rank + 1;
    }
    for (; next < model_.world_size; ++next) {
        model_.missing.push_back(next);
    }
    return std::move(model_);
}

std::vector<std::string> shortcomings(const Model& model) {
    std::vector<std::string> sentences;
    if (!model.missing.empty()) {
        sentences.push_back(fmt::format("there is no trace of {}: nothing that ran there is seen",
                                        list_ranks(model.missing)));
    }
    std::vector<std::int32_t> endless;
    std::vector<std::int32_t> uncompared;
    for (const TracedRank& rank : model.ranks) {
        if (!rank.damage.empty()) {
            sentences.push_back(
                fmt::format("the trace of rank {} is damaged, and read up to there: {}",
                            rank.header.rank,
                            rank.damage));
        } else if (!rank.complete) {
            endless.push_back(rank.header.rank);
        }
        if (!rank.clock_known) {
            uncompared.push_back(rank.header.rank);
        }
    }
    if (!endless.empty()) {
        sentences.push_back(
            fmt::format("the trace of {} has no end: the run goes on, or was killed; up "
                        "to a second is missing",
                        list_ranks(endless)));
    }
    if (!uncompared.empty()) {
        sentences.push_back(fmt::format(
            "the clock of {} was never compared with rank 0's: times there are by the time of day",
            list_ranks(uncompared)));
    }
    return sentences;
}

} // namespace muster::launcher::look
