#include "look/html.hpp"

#include "look/analysis.hpp"
#include "look/view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <ctime>
#include <map>
#include <string_view>

namespace muster::launcher::look {
namespace {

constexpr std::size_t bins = 240;
constexpr double chart_width = 960;
constexpr double chart_height = 160;
constexpr std::size_t heat_rows_max = 128;
constexpr std::size_t slowest_shown = 30;
constexpr std::size_t failures_shown = 200;
constexpr std::size_t steps_shown = 60;
constexpr std::size_t functions_shown = 100;

constexpr const char* style = R"(
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6b7c; --line: #dfe4ea; --paper: #ffffff;
  --tile: #f5f7f9; --main: #2f6fb0; --queued: #d9a441; --driver: #8a94a3; --bad: #c0392b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ef; --soft: #97a4b3; --line: #2f3945;
  --paper: #14191f; --tile: #1c232b; --main: #5b9bd8; --queued: #d9a441; --driver: #6d7886; --bad: #e5675a; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 1020px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem; }
.soft { color: var(--soft); } .bad { color: var(--bad); }
.tiles { display: flex; flex-wrap: wrap; gap: .6rem; margin: 1.2rem 0; }
.tile { background: var(--tile); border-radius: 6px; padding: .5rem .9rem; }
.tile b { display: block; font-size: 1.25rem; font-weight: 600; }
.note { border-left: 4px solid var(--queued); background: var(--tile); padding: .4rem .8rem; margin: .4rem 0; }
svg { display: block; width: 100%; height: auto; } text { font: 11px system-ui, sans-serif; fill: var(--soft); }
.over { fill: var(--ink); stroke: var(--paper); stroke-width: 3px; paint-order: stroke; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
th { text-align: left; color: var(--soft); font-weight: 500; } td, th { padding: .22rem .6rem; border-bottom: 1px solid var(--line); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.name { word-break: break-word; } .key { display: inline-block; width: .8em; height: .8em; border-radius: 2px; }
)";

std::string escaped(std::string_view text) {
    std::string safe;
    for (const char letter : text) {
        switch (letter) {
        case '<':
            safe += "&lt;";
            break;
        case '>':
            safe += "&gt;";
            break;
        case '&':
            safe += "&amp;";
            break;
        case '"':
            safe += "&quot;";
            break;
        default:
            safe += static_cast<unsigned char>(letter) < 0x20 && letter != '\n' ? ' ' : letter;
        }
    }
    return safe;
}

std::string time_of(std::int64_t nanoseconds) {
    return duration(static_cast<double>(nanoseconds) * 1e-9);
}

std::string count_of(std::uint64_t number) {
    return counted(static_cast<double>(number));
}

class Html {
public:
    explicit Html(const Model& model)
        : model_(model), path_(critical_path(model)), uses_(functions_of(model, path_)),
          use_(utilisation_of(model, bins)), failures_(failures(model)) {}

    std::string page() {
        head();
        tiles();
        for (const std::string& note : shortcomings(model_)) {
            line("<p class=\"note\">{}</p>", escaped(note));
        }
        utilisation();
        path();
        functions();
        slow();
        failed();
        traffic();
        text_ += "</body></html>\n";
        return std::move(text_);
    }

private:
    template <class... T>
    void line(fmt::format_string<T...> format, T&&... values) {
        text_ += fmt::format(format, std::forward<T>(values)...) + '\n';
    }

    std::string title() const {
        const auto& header = model_.ranks.front().header;
        return header.program.empty() ? "a run" : header.program;
    }

    /// "train (0:17) "epoch 3""
    std::string called(std::uint64_t task, std::uint32_t function) const {
        const std::string& own = model_.own_name(task);
        return escaped(fmt::format("{} ({}){}",
                                   model_.function_name(function),
                                   task_name(task),
                                   own.empty() ? std::string() : " \"" + own + '"'));
    }

    void head() {
        const auto& header = model_.ranks.front().header;
        text_ += "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                 "<meta name=\"viewport\" content=\"width=device-width\">\n";
        line("<title>{}: a run of Muster</title><style>{}</style></head><body>",
             escaped(title()),
             style);
        const std::time_t began = header.realtime_ns / 1'000'000'000;
        std::tm parts{};
        ::gmtime_r(&began, &parts);
        char when[32] = "";
        (void)std::strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S UTC", &parts);
        line("<h1>{}</h1>", escaped(title()));
        line("<p class=\"soft\">run {:016x}, began {} on {}{}</p>",
             model_.run_id,
             when,
             escaped(header.host),
             header.job.empty() ? std::string() : ", Slurm job " + escaped(header.job));
    }

    void tile(const std::string& value, const char* what, bool bad = false) {
        line("<div class=\"tile\"><b{}>{}</b>{}</div>", bad ? " class=\"bad\"" : "", value, what);
    }

    void tiles() {
        std::uint64_t tasks = 0;
        std::int64_t busy = 0;
        for (const FunctionUse& use : uses_) {
            tasks += use.tasks;
        }
        double used = 0;
        double cpus = 0;
        for (std::size_t r = 0; r < use_.busy.size(); ++r) {
            cpus += use_.cpus[r];
            for (const double value : use_.busy[r]) {
                used += value;
            }
        }
        used *= static_cast<double>(use_.bin);
        busy = static_cast<std::int64_t>(used);
        const double whole = cpus * static_cast<double>(model_.end);
        text_ += "<div class=\"tiles\">\n";
        tile(time_of(model_.end), "from start to end");
        tile(count_of(static_cast<std::uint64_t>(model_.world_size)), "ranks");
        tile(fmt::format("{:g}", cpus), "CPUs");
        tile(count_of(tasks), "tasks and calls ran");
        tile(time_of(busy), "they took together");
        tile(whole > 0 ? fmt::format("{:.0f} %", 100 * used / whole) : "–", "of the CPUs' time");
        tile(count_of(failures_.size()), "failed", !failures_.empty());
        text_ += "</div>\n";
    }

    double x_of(std::int64_t time) const {
        return model_.end == 0
                   ? 0
                   : chart_width * static_cast<double>(time) / static_cast<double>(model_.end);
    }

    void time_axis(double y) {
        for (int i = 0; i <= 6; ++i) {
            const std::int64_t time = model_.end * i / 6;
            line("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>",
                 x_of(time),
                 y,
                 i == 0 ? "start" : (i == 6 ? "end" : "middle"),
                 time_of(time));
        }
    }

    void utilisation() {
        text_ += "<h2>How busy it was</h2>\n";
        double cpus = 0;
        std::vector<double> total(bins, 0.0);
        double most = 0;
        for (std::size_t r = 0; r < use_.busy.size(); ++r) {
            cpus += use_.cpus[r];
            for (std::size_t i = 0; i < bins; ++i) {
                total[i] += use_.busy[r][i];
                most = std::max(most, total[i]);
            }
        }
        const double top = std::max({cpus, most, 1.0});
        const auto y_of = [&](double value) { return 10 + chart_height * (1 - value / top); };
        line("<p class=\"soft\">Tasks that run, without those that wait for others; the line is at "
             "{:g} "
             "CPUs. Each step is {}.</p>",
             cpus,
             time_of(use_.bin));
        line("<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"tasks that run over time\">",
             chart_width,
             chart_height + 34);
        std::string points = fmt::format("0,{:.1f} ", y_of(0));
        for (std::size_t i = 0; i < bins; ++i) {
            const auto begin = static_cast<std::int64_t>(i) * use_.bin;
            const double left = std::min(chart_width, x_of(begin));
            const double right = std::min(chart_width, x_of(begin + use_.bin));
            points += fmt::format(
                "{:.1f},{:.1f} {:.1f},{:.1f} ", left, y_of(total[i]), right, y_of(total[i]));
        }
        points += fmt::format("{:.1f},{:.1f}", chart_width, y_of(0));
        line("<polygon points=\"{}\" fill=\"var(--main)\" fill-opacity=\".75\"/>", points);
        line("<line x1=\"0\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"var(--soft)\" "
             "stroke-dasharray=\"4 4\"/>",
             chart_width,
             y_of(cpus),
             y_of(cpus));
        time_axis(chart_height + 28);
        text_ += "</svg>\n";
        heat();
    }

    // A row for each rank, or for as many as make no more rows than people can see.
    void heat() {
        const std::size_t ranks = use_.busy.size();
        const std::size_t in_row = (ranks + heat_rows_max - 1) / heat_rows_max;
        const std::size_t rows = (ranks + in_row - 1) / in_row;
        const double height = rows <= 16 ? 18 : (rows <= 48 ? 10 : 5);
        line("<p class=\"soft\">{}: the darker, the busier.</p>",
             in_row == 1 ? std::string("By rank")
                         : fmt::format("By rank, {} in each row", count_of(in_row)));
        line("<svg viewBox=\"0 0 {} {:.0f}\" role=\"img\" aria-label=\"how busy each rank was\">",
             chart_width,
             static_cast<double>(rows) * height + 4);
        for (std::size_t row = 0; row < rows; ++row) {
            const std::size_t begin = row * in_row;
            const std::size_t end = std::min(ranks, begin + in_row);
            std::size_t bin = 0;
            while (bin < bins) {
                const int shade = shade_of(begin, end, bin);
                std::size_t next = bin + 1;
                while (next < bins && shade_of(begin, end, next) == shade) {
                    ++next;
                }
                if (shade > 0) {
                    const auto from = static_cast<std::int64_t>(bin) * use_.bin;
                    const auto to = static_cast<std::int64_t>(next) * use_.bin;
                    const double left = std::min(chart_width, x_of(from));
                    line("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
                         "fill=\"var(--main)\" fill-opacity=\"{:.2f}\"><title>{}, {} to {}: {} "
                         "%</title></rect>",
                         left,
                         static_cast<double>(row) * height,
                         std::max(0.0, std::min(chart_width, x_of(to)) - left),
                         height - 1,
                         0.12 + 0.088 * shade,
                         row_name(begin, end),
                         time_of(from),
                         time_of(to),
                         shade * 10);
                }
                bin = next;
            }
            if (height >= 10) {
                line("<text class=\"over\" x=\"2\" y=\"{:.1f}\">{}</text>",
                     static_cast<double>(row) * height + height - (height > 12 ? 6 : 2),
                     row_name(begin, end));
            }
        }
        text_ += "</svg>\n";
    }

    std::string row_name(std::size_t begin, std::size_t end) const {
        const auto& first = model_.ranks[begin].header;
        return end - begin == 1
                   ? escaped(fmt::format("rank {} on {}", first.rank, first.host))
                   : fmt::format("ranks {} to {}", first.rank, model_.ranks[end - 1].header.rank);
    }

    /// Of ten; 0: idle.
    int shade_of(std::size_t begin, std::size_t end, std::size_t bin) const {
        double busy = 0;
        double cpus = 0;
        for (std::size_t r = begin; r < end; ++r) {
            busy += use_.busy[r][bin];
            cpus += use_.cpus[r];
        }
        const double part = busy / std::max(cpus, 1.0);
        return part <= 0 ? 0 : std::clamp(static_cast<int>(std::ceil(part * 10)), 1, 10);
    }

    void path() {
        text_ += "<h2>The critical path</h2>\n";
        if (path_.empty()) {
            text_ += "<p>Nothing ran.</p>\n";
            return;
        }
        std::map<Step::Kind, std::int64_t> by_kind;
        for (const Step& step : path_) {
            by_kind[step.kind] += step.end - step.begin;
        }
        line(
            "<p class=\"soft\">From what ended last back, at each step to what it waited for "
            "longest: "
            "to end sooner, these must. <span class=\"key\" "
            "style=\"background:var(--main)\"></span> "
            "tasks {}, <span class=\"key\" style=\"background:var(--queued)\"></span> ready and "
            "not "
            "started {}, <span class=\"key\" style=\"background:var(--driver)\"></span> the driver "
            "{}.</p>",
            time_of(by_kind[Step::Kind::run]),
            time_of(by_kind[Step::Kind::queued]),
            time_of(by_kind[Step::Kind::driver]));
        line("<svg viewBox=\"0 0 {} 46\" role=\"img\" aria-label=\"the critical path over time\">",
             chart_width);
        // What is too narrow to be seen is drawn with its neighbours of the same kind.
        for (std::size_t i = 0; i < path_.size();) {
            const Step& first = path_[i];
            std::size_t next = i + 1;
            while (next < path_.size() && path_[next].kind == first.kind &&
                   x_of(path_[next].end) - x_of(first.begin) < 0.4) {
                ++next;
            }
            const Step& last = path_[next - 1];
            line("<rect x=\"{:.2f}\" y=\"0\" width=\"{:.2f}\" height=\"26\" "
                 "fill=\"var(--{})\"><title>{}: "
                 "{}</title></rect>",
                 x_of(first.begin),
                 std::max(0.2, x_of(last.end) - x_of(first.begin)),
                 colour(first.kind),
                 next - i == 1 ? describe(first) : fmt::format("{} steps", next - i),
                 time_of(last.end - first.begin));
            i = next;
        }
        time_axis(42);
        text_ += "</svg>\n";
        std::vector<const Step*> longest;
        for (const Step& step : path_) {
            longest.push_back(&step);
        }
        std::stable_sort(longest.begin(), longest.end(), [](const Step* a, const Step* b) {
            return a->end - a->begin > b->end - b->begin;
        });
        line("<p class=\"soft\">Its {} steps, the longest first{}:</p>",
             count_of(path_.size()),
             path_.size() > steps_shown ? fmt::format(" ({} of them)", steps_shown)
                                        : std::string());
        text_ +=
            "<div class=\"scroll\"><table><tr><th class=\"n\">for</th><th class=\"n\">from</th>"
            "<th class=\"n\">rank</th><th>what</th></tr>\n";
        for (std::size_t i = 0; i < longest.size() && i < steps_shown; ++i) {
            const Step& step = *longest[i];
            line("<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
                 "class=\"name\">{}</td></tr>",
                 time_of(step.end - step.begin),
                 time_of(step.begin),
                 step.rank < 0 ? std::string("–") : std::to_string(step.rank),
                 describe(step));
        }
        text_ += "</table></div>\n";
    }

    static const char* colour(Step::Kind kind) {
        return kind == Step::Kind::run ? "main"
                                       : (kind == Step::Kind::queued ? "queued" : "driver");
    }

    std::string describe(const Step& step) const {
        switch (step.kind) {
        case Step::Kind::driver:
            return "the driver";
        case Step::Kind::queued:
            return called(step.task, step.function) + ", ready and not started";
        case Step::Kind::run:
            break;
        }
        return called(step.task, step.function);
    }

    void functions() {
        line(
            "<h2>Functions</h2>\n<div class=\"scroll\"><table><tr><th>function</th><th "
            "class=\"n\">ran</th>"
            "<th class=\"n\">failed</th><th class=\"n\">together</th><th class=\"n\">on "
            "average</th><th "
            "class=\"n\">longest</th><th class=\"n\">ready, not started</th><th class=\"n\">on the "
            "critical path</th></tr>");
        for (std::size_t i = 0; i < uses_.size() && i < functions_shown; ++i) {
            const FunctionUse& use = uses_[i];
            const auto ran = static_cast<std::int64_t>(std::max<std::uint64_t>(use.tasks, 1));
            line(
                "<tr><td class=\"name\">{}</td><td class=\"n\">{}</td><td class=\"n{}\">{}</td><td "
                "class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
                "class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                escaped(model_.function_name(use.function)),
                count_of(use.tasks),
                use.failed > 0 ? " bad" : "",
                count_of(use.failed),
                time_of(use.total),
                time_of(use.total / ran),
                time_of(use.longest),
                time_of(use.queued / ran),
                use.on_path > 0 ? time_of(use.on_path) : std::string("–"));
        }
        text_ += "</table></div>\n";
        more(uses_.size(), functions_shown, "functions");
    }

    void more(std::size_t all, std::size_t shown, const char* what) {
        if (all > shown) {
            line("<p class=\"soft\">… and {} more {}; <code>muster tasks --trace</code> lists all "
                 "tasks.</p>",
                 count_of(all - shown),
                 what);
        }
    }

    void slow() {
        line("<h2>Slowest tasks</h2>\n<div class=\"scroll\"><table><tr><th class=\"n\">for</th><th "
             "class=\"n\">from</th><th class=\"n\">rank</th><th>task</th></tr>");
        for (const Slice& slice : slowest(model_, slowest_shown)) {
            line("<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
                 "class=\"name\">{}{}</td></tr>",
                 time_of(slice.end - slice.begin),
                 time_of(slice.begin),
                 slice.rank,
                 called(slice.task, slice.function),
                 slice.cut_off ? " <span class=\"bad\">still ran when its trace ends</span>" : "");
        }
        text_ += "</table></div>\n";
    }

    void failed() {
        text_ += "<h2>Failures</h2>\n";
        if (failures_.empty()) {
            text_ += "<p>None.</p>\n";
            return;
        }
        line(
            "<div class=\"scroll\"><table><tr><th class=\"n\">at</th><th class=\"n\">after</th><th "
            "class=\"n\">rank</th><th class=\"n\">attempt</th><th>task</th><th>why</th></tr>");
        for (std::size_t i = 0; i < failures_.size() && i < failures_shown; ++i) {
            const Slice& slice = failures_[i];
            const auto why = model_.why_failed.find(slice.task);
            line("<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td "
                 "class=\"n\">{}</td><td class=\"name\">{}</td><td class=\"name\">{}</td></tr>",
                 time_of(slice.end),
                 time_of(slice.end - slice.begin),
                 slice.rank,
                 slice.attempt,
                 called(slice.task, slice.function),
                 slice.is(muster::look::ran_cancelled) ? "cancelled"
                 : why == model_.why_failed.end()
                     ? std::string()
                     : escaped(fit(model_.own_names[why->second], 400)));
        }
        text_ += "</table></div>\n";
        more(failures_.size(), failures_shown, "failures");
    }

    void traffic() {
        struct Sum {
            std::uint64_t count = 0;
            std::uint64_t bytes = 0;
            std::int64_t time = 0;
        };

        if (!model_.transfers.empty()) {
            std::map<std::pair<std::int32_t, std::int32_t>, Sum> pairs;
            for (const Transfer& one : model_.transfers) {
                Sum& sum = pairs[{one.from, one.to}];
                ++sum.count;
                sum.bytes += one.bytes;
                sum.time += one.end - one.begin;
            }
            std::vector<std::pair<std::pair<std::int32_t, std::int32_t>, Sum>> sorted(pairs.begin(),
                                                                                      pairs.end());
            std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
                return a.second.bytes > b.second.bytes;
            });
            line("<h2>Values sent</h2>\n<p class=\"soft\">As messages. What ranks of one node read "
                 "in "
                 "place is not sent.</p><div "
                 "class=\"scroll\"><table><tr><th>from</th><th>to</th><th "
                 "class=\"n\">values</th><th class=\"n\">size</th><th class=\"n\">under way, "
                 "together</th></tr>");
            for (std::size_t i = 0; i < sorted.size() && i < functions_shown; ++i) {
                const auto& [pair, sum] = sorted[i];
                line("<tr><td>rank {}</td><td>rank {}</td><td class=\"n\">{}</td><td "
                     "class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
                     pair.first,
                     pair.second,
                     count_of(sum.count),
                     bytes(static_cast<double>(sum.bytes)),
                     time_of(sum.time));
            }
            text_ += "</table></div>\n";
            more(sorted.size(), functions_shown, "pairs of ranks");
        }
        if (!model_.collectives.empty()) {
            std::uint64_t all = 0;
            std::int64_t time = 0;
            for (const Collective& one : model_.collectives) {
                all += one.bytes;
                time += one.end - one.begin;
            }
            line("<h2>Collectives</h2>\n<p>{} calls by members of gangs, of {} together, in which "
                 "they "
                 "spent {}, waiting for each other included.</p>",
                 count_of(model_.collectives.size()),
                 bytes(static_cast<double>(all)),
                 time_of(time));
        }
    }

    const Model& model_;
    std::vector<Step> path_;
    std::vector<FunctionUse> uses_;
    Utilisation use_;
    std::vector<Slice> failures_;
    std::string text_;
};

} // namespace

std::string render_html(const Model& model) {
    return Html(model).page();
}

} // namespace muster::launcher::look
