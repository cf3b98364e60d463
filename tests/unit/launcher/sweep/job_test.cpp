#include "sweep/job.hpp"
#include "sweep/job_file.hpp"

#include <muster/base/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace muster::launcher::sweep {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using namespace std::chrono_literals;

std::unique_ptr<Combination> values(std::vector<std::string> list, std::string name = "") {
    auto rows = std::make_unique<Combination>();
    rows->add(list_source(std::move(name), std::move(list)), false);
    return rows;
}

std::vector<std::string> shown(Group group) {
    std::vector<std::string> lines;
    while (const auto command = group.next(lines.size() + 1)) {
        EXPECT_EQ(command->number, lines.size() + 1);
        lines.push_back(command->shown());
    }
    return lines;
}

TEST(Group, MakesACommandOfEachRow) {
    EXPECT_THAT(shown({"", {"./sim", "--seed={}", "{#}"}, values({"a b", "c"}), {}}),
                ElementsAre("./sim '--seed=a b' 1", "./sim --seed=c 2"));
}

TEST(Group, AppendsValuesThatStandNowhere) {
    EXPECT_THAT(shown({"", {"gzip", "-9"}, values({"a b"}), {}}), ElementsAre("gzip -9 'a b'"));
    Settings settings;
    settings.input_file = "{}.in";
    EXPECT_THAT(shown({"", {"sort"}, values({"a"}), settings}), ElementsAre("sort < a.in"));
}

TEST(Group, WithoutACommandLinesAreCommands) {
    EXPECT_THAT(shown({"", {}, values({"echo 'a b' c", "", "# nothing", "ls"}), {}}),
                ElementsAre("echo 'a b' c", "ls"));
    Group broken("", {}, values({"echo 'a"}), {});
    EXPECT_THROW((void)broken.next(1), UsageError);
}

TEST(Group, AShellGetsItsWordsAsTypedAndValuesQuoted) {
    Settings settings;
    settings.shell = true;
    Group group("", {"echo {} | wc -c > {}.n"}, values({"a; b"}), settings);
    EXPECT_THAT(group.next(1)->argv,
                ElementsAre("/bin/sh", "-c", "echo 'a; b' | wc -c > 'a; b'.n"));
}

TEST(Group, FillsInWhatElseACommandHas) {
    Settings settings;
    settings.environment = {{"SEED", "{}"}, {"FIXED", "1"}};
    settings.directory = "run{}";
    Group group("", {"./sim"}, values({"7"}), settings);
    const auto command = group.next(1);
    EXPECT_THAT(command->argv, ElementsAre("./sim")) << "its value stands elsewhere";
    EXPECT_THAT(command->environment, ElementsAre(Pair("SEED", "7"), Pair("FIXED", "1")));
    EXPECT_EQ(command->directory, "run7");
    EXPECT_EQ(command->shown(), "cd run7 && SEED=7 FIXED=1 ./sim");
}

TEST(Command, HasAnIdentityOfAllButItsPlace) {
    Command command;
    command.argv = {"a", "bc"};
    std::set<std::string> seen{command.identity()};
    command.number = 7;
    command.attempt = 2;
    EXPECT_TRUE(seen.contains(command.identity()));
    command.argv = {"ab", "c"};
    EXPECT_TRUE(seen.insert(command.identity()).second);
    command.directory = "d";
    EXPECT_TRUE(seen.insert(command.identity()).second);
    command.environment = {{"d", ""}};
    EXPECT_TRUE(seen.insert(command.identity()).second);
    command.environment.clear();
    command.directory.clear();
    command.input = "d";
    EXPECT_TRUE(seen.insert(command.identity()).second);
}

constexpr const char* json = R"({
    "cpus": 2, "env": {"A": "1"},
    "group": [
        {"name": "prepare", "command": "./prepare --shard {shard}", "values": {"shard": {"range": "1-2"}}},
        {"name": "train", "command": ["./train", "{lr}", "{seed}"], "after": "prepare", "retries": 1,
         "cpus": 0.5, "timeout": "90s", "zip": true, "env": {"A": "2", "B": "{lr}"},
         "values": {"lr": [0.1, "0.01"], "seed": {"range": "1-3"}}},
        {"name": "report", "command": ["./report"], "after": ["prepare", "train"]}
    ]})";

constexpr const char* toml = R"(
cpus = 2
env = { A = "1" }

[[group]]
name = "prepare"
command = "./prepare --shard {shard}"
values.shard = { range = "1-2" }

[[group]]
name = "train"
command = ["./train", "{lr}", "{seed}"]
after = "prepare"
retries = 1
cpus = 0.5
timeout = "90s"
zip = true
env = { A = "2", B = "{lr}" }
values = { lr = [0.1, "0.01"], seed = { range = "1-3" } }

[[group]]
name = "report"
command = ["./report"]
after = ["prepare", "train"]
)";

constexpr const char* yaml = R"(
cpus: 2
env: {A: 1}
group:
  - name: prepare
    command: ./prepare --shard {shard}
    values: {shard: {range: 1-2}}
  - name: train
    command: [./train, "{lr}", "{seed}"]
    after: prepare
    retries: 1
    cpus: 0.5
    timeout: 90s
    zip: true
    env: {A: 2, B: "{lr}"}
    values:
      lr: [0.1, 0.01]
      seed: {range: 1-3}
  - name: report
    command: [./report]
    after: [prepare, train]
)";

void expect_three_groups(std::vector<Group> groups) {
    ASSERT_EQ(groups.size(), 3U);
    EXPECT_EQ(groups[0].settings().cpus, Amount{2});
    EXPECT_EQ(groups[1].settings().cpus, Amount{0.5});
    EXPECT_EQ(groups[1].settings().retries, 1U);
    EXPECT_EQ(groups[1].settings().timeout, 90s);
    EXPECT_THAT(groups[1].after(), ElementsAre("prepare"));
    EXPECT_THAT(groups[2].after(), ElementsAre("prepare", "train"));
    EXPECT_THAT(shown(std::move(groups[0])),
                ElementsAre("A=1 ./prepare --shard 1", "A=1 ./prepare --shard 2"));
    EXPECT_THAT(shown(std::move(groups[1])),
                ElementsAre("A=2 B=0.1 ./train 0.1 1", "A=2 B=0.01 ./train 0.01 2"));
    EXPECT_THAT(shown(std::move(groups[2])), ElementsAre("A=1 ./report"));
}

TEST(JobFile, SaysTheSameInEachFormat) {
    expect_three_groups(parse_job(json, "json", "job.json", {}));
    if (reads_toml()) {
        expect_three_groups(parse_job(toml, "toml", "job.toml", {}));
    }
    if (reads_yaml()) {
        expect_three_groups(parse_job(yaml, "yaml", "job.yaml", {}));
    }
}

TEST(JobFile, MayBeOneGroup) {
    auto groups =
        parse_job(R"({"command": "echo {}", "values": {"": ["a"]}})", "json", "job.json", {});
    ASSERT_EQ(groups.size(), 1U);
    EXPECT_THAT(shown(std::move(groups[0])), ElementsAre("echo a"));
}

std::string refused(const std::string& text, std::string_view format = "json") {
    try {
        (void)parse_job(text, format, "job.x", {});
    } catch (const UsageError& error) {
        return error.what();
    }
    return "it was taken";
}

TEST(JobFile, MistakesAreRefusedWithTheirPlace) {
    EXPECT_THAT(refused("{"), HasSubstr("job.x"));
    EXPECT_THAT(refused("[]"), HasSubstr("no table"));
    EXPECT_THAT(refused(R"({"group": []})"), HasSubstr("list of groups"));
    EXPECT_THAT(refused(R"({"group": [{"name": "a", "comand": "x"}]})"),
                AllOf(HasSubstr("group 'a'"), HasSubstr("comand")));
    EXPECT_THAT(refused(R"({"group": [{"command": "x", "cpus": "many"}]})"),
                AllOf(HasSubstr("group 1"), HasSubstr("cpus")));
    EXPECT_THAT(
        refused(R"({"group": [{"name": "a", "command": "x {y}", "values": {"z": ["1"]}}]})"),
        AllOf(HasSubstr("group 'a'"), HasSubstr("{z}")));
    EXPECT_THAT(refused(R"({"group": [{"name": "a", "command": "x", "after": "b"}]})"),
                HasSubstr("'b'"));
    EXPECT_THAT(
        refused(R"({"group": [{"name": "a", "command": "x"}, {"name": "a", "command": "x"}]})"),
        HasSubstr("two groups"));
    EXPECT_THAT(refused(R"({"group": [{"name": "a", "command": "x", "after": "b"},
                                      {"name": "b", "command": "x", "after": "a"}]})"),
                HasSubstr("for itself"));
    EXPECT_THAT(refused(R"({"command": "x", "values": {"a": {"rang": "1-2"}}})"),
                HasSubstr("rang"));
    if (reads_toml()) {
        EXPECT_THAT(refused("a = [", "toml"), HasSubstr("line 1"));
    }
    if (reads_yaml()) {
        EXPECT_THAT(refused("a: [", "yaml"), HasSubstr("line"));
    }
}

} // namespace
} // namespace muster::launcher::sweep
