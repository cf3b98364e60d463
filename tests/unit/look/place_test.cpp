#include <muster/look/place.hpp>
#include <muster/look/task_name.hpp>

#include <gtest/gtest.h>

#include <string>

namespace muster::look {
namespace {

TEST(Place, NamesOfSocketsSayProcessAndJob) {
    for (const auto& [pid, job, number] :
         {std::tuple{4711, "", 0}, {1, "815", 0}, {7, "12_3", 2}}) {
        const auto place = parse_place("/tmp/x/" + socket_name(pid, job, number));
        ASSERT_TRUE(place) << socket_name(pid, job, number);
        EXPECT_EQ(place->pid, pid);
        EXPECT_EQ(place->job, job);
    }
    for (const char* const name : {"x.sock",
                                   "12",
                                   "12.socket",
                                   "12-job.sock",
                                   "12-jo815.sock",
                                   ".sock",
                                   "-1.sock",
                                   "12..sock",
                                   "12.3x.sock",
                                   "99999999999999999999.sock"}) {
        EXPECT_FALSE(parse_place(name)) << name;
    }
}

TEST(Place, ValuesInRequestsComeBackAsTheyWere) {
    for (const std::string value : {"", "train", "a b=c%20\n", "\xff\x01", "100%", "größe"}) {
        EXPECT_EQ(unescape(escape(value)), value);
        EXPECT_EQ(escape(value).find_first_of(" =\n"), std::string::npos);
    }
    EXPECT_EQ(unescape("%"), "%");
    EXPECT_EQ(unescape("%4"), "%4");
    EXPECT_EQ(unescape("%zz%41"), "%zzA");
}

TEST(Place, ADirectoryOfSomebodyElsesOrOpenToOthersIsRefused) {
    EXPECT_TRUE(refusal("/", 12345));
    EXPECT_TRUE(refusal("/no/such/directory", 0));
    EXPECT_TRUE(refusal("/dev/null", 0));
}

TEST(TaskName, IsReadAsItIsWritten) {
    for (const TaskId task :
         {make_object_id(Rank{0}, 17), make_object_id(Rank{world_size_max - 1}, sequence_mask)}) {
        EXPECT_EQ(parse_task_name(task_name(task)), task);
    }
    for (const char* const wrong : {"",
                                    ":",
                                    "0:",
                                    ":1",
                                    "0:1:2",
                                    "-1:2",
                                    "0:-1",
                                    "0x1:2",
                                    " 0:1",
                                    "0:1 ",
                                    "1048576:1",
                                    "0:17592186044416",
                                    "0:99999999999999999999"}) {
        EXPECT_FALSE(parse_task_name(wrong)) << wrong;
    }
}

} // namespace
} // namespace muster::look
