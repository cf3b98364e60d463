#include "process/command.hpp"
#include "process/protocol.hpp"

#include <gtest/gtest.h>

namespace muster::process {
namespace {

using namespace std::string_literals;

CommandSpec with_argv(std::vector<std::string> argv) {
    CommandSpec spec;
    spec.argv = std::move(argv);
    return spec;
}

TEST(Command, IsRefusedBeforeItStartsIfTheSystemCouldNotRunIt) {
    EXPECT_FALSE(check(with_argv({"true"})));
    EXPECT_EQ(check(with_argv({}))->message,
              "a command needs a program: its first argument is missing or empty");
    EXPECT_TRUE(check(with_argv({""})));
    EXPECT_TRUE(check(with_argv({"a", "b\0c"s})));
    CommandSpec spec = with_argv({"true"});
    spec.environment = {{"A=B", "1"}};
    EXPECT_EQ(check(spec)->code, ErrorCode::usage);
    spec = with_argv({"true"});
    spec.input = "x";
    spec.input_file = "y";
    EXPECT_EQ(check(spec)->message, "command 'true': has both input and input_file; give one");
}

TEST(Command, IsDescribedInOneShortLine) {
    EXPECT_EQ(describe(with_argv({"./sim", "--seed", "3"})), "./sim --seed 3");
    EXPECT_EQ(describe(with_argv({std::string(500, 'x')})).size(), 80U);
}

TEST(Protocol, DecodesWhatItEncodes) {
    CommandSpec spec = with_argv({"sh", "-c", ""});
    spec.environment = {{"A", "1"}, {"B", ""}};
    spec.directory = "/tmp";
    spec.input = "zero\0byte"s;
    spec.input_file = "file";
    spec.capture = false;
    spec.cpu_ids = {3, 1};
    const auto back = decode(encode(spec));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->argv, spec.argv);
    EXPECT_EQ(back->environment, spec.environment);
    EXPECT_EQ(back->directory, spec.directory);
    EXPECT_EQ(back->input, spec.input);
    EXPECT_EQ(back->input_file, spec.input_file);
    EXPECT_EQ(back->capture, spec.capture);
    EXPECT_EQ(back->cpu_ids, spec.cpu_ids);
}

TEST(Protocol, RefusesEveryTruncation) {
    CommandSpec spec = with_argv({"sh", "-c", "true"});
    spec.environment = {{"A", "1"}};
    spec.input = "text";
    const std::string bytes = encode(spec);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_FALSE(decode(std::string_view(bytes).substr(0, size))) << size;
    }
    EXPECT_FALSE(decode(bytes + "x"));
}

} // namespace
} // namespace muster::process
