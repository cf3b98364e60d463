#include <muster/slurm/batch_script.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace muster::slurm {
namespace {

bool is_plain(char letter) {
    constexpr std::string_view others = "_-+=.,:/@%^";
    return std::isalnum(static_cast<unsigned char>(letter)) != 0 ||
           others.find(letter) != std::string_view::npos;
}

bool is_control(char letter) {
    return static_cast<unsigned char>(letter) < ' ' || letter == '\x7f';
}

bool has_control(std::string_view text) {
    return std::ranges::any_of(text, is_control);
}

Failure refused(std::string message) {
    return Failure{ErrorCode::usage, "batch script: " + std::move(message)};
}

/// The lines of a script, or why there is none.
class Lines {
public:
    void add(std::string line) { text_ += std::move(line) + '\n'; }

    /// "#SBATCH --name=value", where there is a value. sbatch splits the line as a shell would,
    /// but expands nothing; "#" begins a comment.
    void option(std::string_view name, std::string_view value) {
        if (value.empty()) {
            return;
        }
        if (has_control(value)) {
            fail(fmt::format("--{} must not have line breaks or control characters", name));
        }
        if (std::ranges::all_of(value, is_plain)) {
            add(fmt::format("#SBATCH --{}={}", name, value));
            return;
        }
        std::string quoted;
        for (const char letter : value) {
            if (letter == '"' || letter == '\\') {
                quoted += '\\';
            }
            quoted += letter;
        }
        add(fmt::format("#SBATCH --{}=\"{}\"", name, quoted));
    }

    void option(std::string_view name, std::optional<int> value) {
        if (!value) {
            return;
        }
        if (*value < 1) {
            fail(fmt::format("--{} is {}; it is at least 1", name, *value));
        }
        option(name, fmt::to_string(*value));
    }

    void fail(std::string message) {
        if (!failure_) {
            failure_ = refused(std::move(message));
        }
    }

    [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

    /// Without the last line's end.
    [[nodiscard]] std::string text() const { return text_.substr(0, text_.size() - 1); }

private:
    std::string text_;
    std::optional<Failure> failure_;
};

/// srun signals its step's processes itself; the others are the batch shell's own children, which
/// passes the signal on.
std::string signal_option(const BatchScript& script) {
    if (script.signal.empty()) {
        return {};
    }
    const bool by_shell = script.launcher != StepLauncher::srun;
    return fmt::format("{}{}@{}", by_shell ? "B:" : "", script.signal, script.signal_seconds);
}

Result<std::string> option_lines(const BatchScript& script) {
    Lines lines;
    lines.option("job-name", script.name);
    lines.option("nodes", script.nodes);
    lines.option("ntasks", script.tasks);
    lines.option("ntasks-per-node", script.tasks_per_node);
    lines.option("cpus-per-task", script.cpus_per_task);
    lines.option("gpus-per-node", script.gpus_per_node);
    lines.option("gpus-per-task", script.gpus_per_task);
    lines.option("mem", script.memory_per_node);
    lines.option("mem-per-cpu", script.memory_per_cpu);
    lines.option("time", script.time_limit);
    lines.option("array", script.array);
    lines.option("dependency", script.dependency);
    lines.option("account", script.account);
    lines.option("partition", script.partition);
    lines.option("qos", script.quality_of_service);
    lines.option("constraint", script.constraint);
    lines.option("output", script.output);
    lines.option("signal", signal_option(script));
    if (script.again == Again::requeue) {
        lines.add("#SBATCH --requeue");
    }
    // What runs again goes on in the same log.
    lines.add("#SBATCH --open-mode=append");
    for (const std::string& option : script.options) {
        if (!option.starts_with('-') || has_control(option)) {
            lines.fail(fmt::format("'{}' is no option of sbatch: one begins with '-', on one line",
                                   option));
        }
        lines.add("#SBATCH " + option);
    }
    return lines.failure() ? Result<std::string>(*lines.failure()) : lines.text();
}

Result<std::string> environment_lines(const BatchScript& script) {
    Lines lines;
    for (const auto& [name, value] : script.environment) {
        const bool named =
            !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
            std::ranges::all_of(name, [](char letter) {
                return letter == '_' || std::isalnum(static_cast<unsigned char>(letter)) != 0;
            });
        if (!named) {
            lines.fail(fmt::format("'{}' cannot be the name of a variable", name));
        }
        lines.add(fmt::format("export {}={}", name, shell_quoted(value)));
    }
    return lines.failure() ? Result<std::string>(*lines.failure()) : lines.text();
}

std::string joined(const std::vector<std::string>& texts) {
    Lines lines;
    for (const std::string& text : texts) {
        lines.add(text);
    }
    return lines.text();
}

std::string command_line(const BatchScript& script) {
    std::vector<std::string> words;
    switch (script.launcher) {
    case StepLauncher::none:
        break;
    case StepLauncher::srun:
        words = {"srun"};
        break;
    case StepLauncher::mpirun:
        words = {"mpirun"};
        break;
    case StepLauncher::muster:
        words = {script.muster_program, "run"};
        break;
    }
    words.insert(words.end(), script.launcher_options.begin(), script.launcher_options.end());
    if (script.launcher == StepLauncher::muster) {
        words.emplace_back("--");
    }
    words.insert(words.end(), script.command.begin(), script.command.end());
    std::string line;
    for (const std::string& word : words) {
        line += (line.empty() ? "" : " ") + shell_quoted(word);
    }
    return line;
}

// What {{run}} is made of. Names begin with "muster_", since users' lines run in the same shell.

/// A line in <job>.events. What cannot be written, since the folder is not there on this node, is
/// not.
constexpr std::string_view note_function = R"sh(
muster_note() {
    muster_file=$muster_records/${SLURM_ARRAY_JOB_ID-$SLURM_JOB_ID}${SLURM_ARRAY_TASK_ID+_$SLURM_ARRAY_TASK_ID}.events
    { printf '%s %s\n' "$(date +%s)" "$*" >> "$muster_file"; } 2> /dev/null || true
}
)sh";

constexpr std::string_view no_note_function = R"sh(muster_note() { :; }
)sh";

constexpr std::string_view begin_lines = R"sh(
# Slurm before 23.02 does not tell a job when it ends. Asked once here, and by no rank.
if [ -z "${SLURM_JOB_END_TIME-}" ] &&
    muster_end=$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%e 2> /dev/null) &&
    muster_end=$(date --date="$muster_end" +%s 2> /dev/null); then
    export SLURM_JOB_END_TIME=$muster_end
fi
muster_note "started ${SLURM_RESTART_COUNT:-0} ${SLURM_JOB_NODELIST-}"

# In the background, since a shell attends to a signal only while it waits.
)sh";

constexpr std::string_view wait_lines = R"sh( &
muster_step=$!
for muster_signal in TERM USR1 USR2; do
    trap "kill -$muster_signal $muster_step 2> /dev/null" "$muster_signal"
done
wait "$muster_step"
muster_code=$?
while kill -0 "$muster_step" 2> /dev/null; do
    wait "$muster_step"
    muster_code=$?
done
trap - TERM USR1 USR2
)sh";

/// A job that somebody cancelled ends with 75 as well, and is to stay ended.
constexpr std::string_view state_lines = R"sh(
muster_is_wanted() {
    [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T 2> /dev/null)" = RUNNING ]
}
)sh";

constexpr std::string_view requeue_lines = R"sh(
# 75: it had to end before it was done.
if [ "$muster_code" -eq 75 ] && muster_is_wanted; then
    if [ "${SLURM_RESTART_COUNT:-0}" -ge "$muster_again_max" ]; then
        echo "muster: not done, but it has run again $muster_again_max times, as often as it may" >&2
    else
        muster_note "requeued $muster_code"
        echo "muster: not done; the job runs again" >&2
        scontrol requeue "$SLURM_JOB_ID" && exit "$muster_code"
        echo "muster: Slurm does not requeue this job; submit it with --chain instead" >&2
    fi
fi
)sh";

/// What this job was given in variables is not the next one's.
constexpr std::string_view chain_lines = R"sh(
# 75: it had to end before it was done. The script's argument counts the jobs before this one.
if [ "$muster_code" -eq 75 ] && muster_is_wanted; then
    muster_link=${1:-0}
    if [ "$muster_link" -ge "$muster_again_max" ]; then
        echo "muster: not done, but $muster_again_max jobs have followed, as many as may" >&2
    elif muster_next=$(
        muster_element=${SLURM_ARRAY_TASK_ID-}
        muster_this=$SLURM_JOB_ID
        for muster_name in "${!SLURM_@}"; do
            [ "$muster_name" = SLURM_CONF ] || unset "$muster_name"
        done
        sbatch --parsable --dependency="afterany:$muster_this" ${muster_element:+--array="$muster_element"} \
            "$0" "$((muster_link + 1))"
    ); then
        muster_note "continued ${muster_next%%;*}"
        echo "muster: not done; it goes on as job ${muster_next%%;*}" >&2
    else
        echo "muster: not done, and the next job could not be submitted" >&2
    fi
fi
)sh";

constexpr std::string_view end_lines = R"sh(
muster_note "ended $muster_code"
exit "$muster_code")sh";

std::string run_lines(const BatchScript& script) {
    std::string text;
    if (script.records.empty()) {
        text += no_note_function;
    } else {
        text += fmt::format("muster_records={}", shell_quoted(script.records));
        text += note_function;
    }
    text += begin_lines;
    text += command_line(script);
    text += wait_lines;
    if (script.again != Again::no) {
        text += fmt::format("muster_again_max={}", script.again_max);
        text += state_lines;
        text += script.again == Again::requeue ? requeue_lines : chain_lines;
    }
    text += end_lines;
    return text;
}

struct Placeholder {
    std::string_view name;
    std::string text;
};

std::string known_names(const std::vector<Placeholder>& placeholders) {
    std::string names;
    for (const Placeholder& one : placeholders) {
        names += fmt::format("{}{{{{{}}}}}", names.empty() ? "" : ", ", one.name);
    }
    return names;
}

Result<std::string> filled(std::string_view text, const std::vector<Placeholder>& placeholders) {
    std::string result;
    while (!text.empty()) {
        const auto begin = text.find("{{");
        result += text.substr(0, begin);
        if (begin == std::string_view::npos) {
            break;
        }
        const auto end = text.find("}}", begin);
        const std::string_view name = end == std::string_view::npos
                                          ? text.substr(begin)
                                          : text.substr(begin + 2, end - begin - 2);
        const auto place = std::ranges::find(placeholders, name, &Placeholder::name);
        if (place == placeholders.end()) {
            return refused(fmt::format("the template has '{{{{{}}}}}'; there are {}",
                                       name.substr(0, 40),
                                       known_names(placeholders)));
        }
        result += place->text;
        text = text.substr(end + 2);
    }
    return result;
}

} // namespace

std::string_view to_string(StepLauncher launcher) {
    switch (launcher) {
    case StepLauncher::none:
        return "none";
    case StepLauncher::srun:
        return "srun";
    case StepLauncher::mpirun:
        return "mpirun";
    case StepLauncher::muster:
        return "muster";
    }
    return "unknown";
}

std::string shell_quoted(std::string_view word) {
    if (!word.empty() && std::ranges::all_of(word, is_plain)) {
        return std::string(word);
    }
    std::string quoted = "'";
    for (const char letter : word) {
        quoted += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
    }
    return quoted + "'";
}

std::string_view default_batch_template() {
    return R"sh(#!/bin/bash
{{options}}

{{setup}}
{{environment}}
{{run}}
)sh";
}

Result<std::string> write_batch_script(const BatchScript& script, std::string_view text) {
    if (script.command.empty()) {
        return refused("there is no command");
    }
    const bool has_run = text.find("{{run}}") != std::string_view::npos;
    if (!has_run && text.find("{{command}}") == std::string_view::npos) {
        return refused("the template has neither {{run}} nor {{command}}");
    }
    if (!has_run && script.again != Again::no) {
        return refused("the template has no {{run}}, which is what runs a job again");
    }
    if (!text.starts_with("#!")) {
        return refused("the template's first line is not '#!' and a shell, which sbatch wants");
    }
    const auto options = option_lines(script);
    if (!options) {
        return options.error();
    }
    const auto environment = environment_lines(script);
    if (!environment) {
        return environment.error();
    }
    return filled(text,
                  {{"options", *options},
                   {"setup", joined(script.setup)},
                   {"environment", *environment},
                   {"command", command_line(script)},
                   {"run", run_lines(script)},
                   {"name", script.name}});
}

} // namespace muster::slurm
