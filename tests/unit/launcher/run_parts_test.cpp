#include "cli/command_line.hpp"
#include "run/contract.hpp"
#include "run/cpu_binding.hpp"
#include "run/lines.hpp"
#include "run/rendezvous.hpp"
#include "run/run_options.hpp"
#include "run/wire.hpp"
#include "sample.hpp"

#include <muster/base/error.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <map>

namespace muster::launcher::run {
namespace {

using namespace std::chrono_literals;
using slurm::Environment;

constexpr TimePoint noon{1000s};

Placement placement() {
    Placement place;
    place.generation = 2;
    place.first_rank = 4;
    place.world_size = 8;
    place.local_world_size = 4;
    place.host_index = 1;
    place.hosts = 2;
    place.max_restarts = 3;
    place.master_address = "10.0.0.1";
    place.master_port = 4711;
    return place;
}

std::map<std::string, std::string> variables(const ContractOptions& options, int index = 1) {
    const auto list = contract(placement(), index, options).value_or_throw();
    return {list.begin(), list.end()};
}

TEST(Contract, GivesWhatTorchrunDoes) {
    ContractOptions options;
    options.run_id = "17";
    options.cpus = 8;
    options.error_folder = "/x";
    const std::map<std::string, std::string> expected{
        {"RANK", "5"},
        {"LOCAL_RANK", "1"},
        {"WORLD_SIZE", "8"},
        {"LOCAL_WORLD_SIZE", "4"},
        {"GROUP_RANK", "1"},
        {"GROUP_WORLD_SIZE", "2"},
        {"ROLE_RANK", "5"},
        {"ROLE_WORLD_SIZE", "8"},
        {"ROLE_NAME", "default"},
        {"MASTER_ADDR", "10.0.0.1"},
        {"MASTER_PORT", "4711"},
        {"TORCHELASTIC_RESTART_COUNT", "2"},
        {"TORCHELASTIC_MAX_RESTARTS", "3"},
        {"TORCHELASTIC_RUN_ID", "17"},
        {"TORCHELASTIC_USE_AGENT_STORE", "False"},
        {"TORCHELASTIC_ERROR_FILE", "/x/error-5-2.json"},
        {"TORCH_NCCL_ASYNC_ERROR_HANDLING", "1"},
        {"OMP_NUM_THREADS", "2"}};
    EXPECT_EQ(variables(options), expected);
}

TEST(Contract, LeavesOmpThreadsToTheUserAndGivesOneWhereRanksOutnumberCpus) {
    ContractOptions options;
    options.cpus = 2;
    EXPECT_EQ(variables(options)["OMP_NUM_THREADS"], "1");
    options.sets_omp_threads = false;
    EXPECT_EQ(variables(options).count("OMP_NUM_THREADS"), 0u);
}

TEST(Contract, SharesOutTheGpusThatTheNodeShowsAndRefusesTooFew) {
    ContractOptions options;
    EXPECT_EQ(variables(options).count("CUDA_VISIBLE_DEVICES"), 0u);
    options.gpus_per_rank = 2;
    options.gpu_ids = {"0", "1", "GPU-aa", "GPU-bb"};
    EXPECT_EQ(variables(options)["CUDA_VISIBLE_DEVICES"], "GPU-aa,GPU-bb");
    const auto refused = contract(placement(), 2, options);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("need 8 GPUs, and it has 4"), std::string::npos);
}

TEST(Contract, ReadsTheErrorFilesOfTorchAndAnythingElseAsItIs) {
    EXPECT_EQ(
        read_error_file(
            R"({"message": {"message": "E: x", "extraInfo": {"py_callstack": "Trace\nE: x\n"}}})"),
        "Trace\nE: x");
    EXPECT_EQ(read_error_file(R"({"message": "short"})"), "short");
    EXPECT_EQ(read_error_file("{broken"), "{broken");
    EXPECT_LT(read_error_file(std::string(1'000'000, 'x')).size(), 10'000u);
}

TEST(LineSplitter, CutsLinesAndKeepsWhatHasNoEnd) {
    LineSplitter splitter(8);
    EXPECT_EQ(splitter.take("a\nb"), std::vector<std::string>{"a\n"});
    EXPECT_TRUE(splitter.has_rest());
    EXPECT_EQ(splitter.take("c\n\nd"), (std::vector<std::string>{"bc\n", "\n"}));
    EXPECT_EQ(splitter.rest(), "d");
    EXPECT_EQ(splitter.take("12345678"), std::vector<std::string>{"12345678"});
}

TEST(FormatRanks, JoinsNeighbours) {
    EXPECT_EQ(format_ranks({3}), "3");
    EXPECT_EQ(format_ranks({0, 1, 2, 3, 7, 9, 10}), "0-3,7,9-10");
}

using Merged = std::vector<LineMerger::Merged>;

TEST(LineMerger, LinesOfAllRanksComeOutAtOnceAsOne) {
    LineMerger merger(1s);
    merger.set_ranks(2);
    merger.add(noon, 0, "x\n");
    EXPECT_TRUE(merger.take(noon).empty());
    EXPECT_EQ(merger.deadline(), noon + 1s);
    merger.add(noon, 1, "x\n");
    EXPECT_EQ(merger.take(noon), (Merged{{{0, 1}, "x\n"}}));
}

TEST(LineMerger, ALineThatSomeOnlyPrintWaitsNoLongerThanItsPatience) {
    LineMerger merger(1s);
    merger.set_ranks(3);
    merger.add(noon, 0, "x\n");
    merger.add(noon, 2, "x\n");
    EXPECT_TRUE(merger.take(noon + 999ms).empty());
    EXPECT_EQ(merger.take(noon + 1s), (Merged{{{0, 2}, "x\n"}}));
}

TEST(LineMerger, EveryRanksLinesStayInTheirOrder) {
    LineMerger merger(1s);
    merger.set_ranks(2);
    merger.add(noon, 0, "a\n");
    merger.add(noon, 0, "b\n");
    merger.add(noon, 1, "b\n");
    merger.add(noon, 1, "a\n"); // behind its b, so not the first a
    EXPECT_EQ(merger.take_all(), (Merged{{{0}, "a\n"}, {{0, 1}, "b\n"}, {{1}, "a\n"}}));
}

TEST(LineMerger, LinesAfterOnesThatDifferMeetAgain) {
    LineMerger merger(1s);
    merger.set_ranks(3);
    for (const int rank : {0, 1, 2}) {
        merger.add(noon, rank, "hello\n");
        merger.add(noon, rank, "I am " + std::to_string(rank) + "\n");
        merger.add(noon, rank, "bye\n");
    }
    EXPECT_EQ(merger.take_all(),
              (Merged{{{0, 1, 2}, "hello\n"},
                      {{0}, "I am 0\n"},
                      {{1}, "I am 1\n"},
                      {{2}, "I am 2\n"},
                      {{0, 1, 2}, "bye\n"}}));
}

TEST(LineMerger, EqualLinesOfOneRankStayApart) {
    LineMerger merger(1s);
    merger.set_ranks(2);
    merger.add(noon, 0, ".\n");
    merger.add(noon, 0, ".\n");
    merger.add(noon, 1, ".\n");
    merger.add(noon, 1, ".\n");
    EXPECT_EQ(merger.take(noon), (Merged{{{0, 1}, ".\n"}, {{0, 1}, ".\n"}}));
}

TEST(LineMerger, HoldsOnlySoManyLines) {
    LineMerger merger(1h, 10);
    merger.set_ranks(2);
    for (int i = 0; i < 15; ++i) {
        merger.add(noon, 0, std::to_string(i));
    }
    EXPECT_EQ(merger.take(noon).size(), 5u);
}

TEST(CpusOfRank, DealsCoresSocketsAndSharesOut) {
    // Two sockets of two cores of two threads.
    std::vector<Cpu> cpus;
    for (int i = 0; i < 8; ++i) {
        cpus.push_back({i, i / 2, i / 4, i / 4});
    }
    using Ids = std::vector<int>;
    EXPECT_EQ(cpus_of_rank(Bind::none, cpus, 0, 2), Ids{});
    EXPECT_EQ(cpus_of_rank(Bind::core, cpus, 1, 2), (Ids{2, 3}));
    EXPECT_EQ(cpus_of_rank(Bind::core, cpus, 5, 8), (Ids{2, 3})); // in turn
    EXPECT_EQ(cpus_of_rank(Bind::socket, cpus, 1, 2), (Ids{4, 5, 6, 7}));
    EXPECT_EQ(cpus_of_rank(Bind::share, cpus, 0, 3), (Ids{0, 1}));
    EXPECT_EQ(cpus_of_rank(Bind::share, cpus, 2, 3), (Ids{5, 6, 7}));
    EXPECT_EQ(cpus_of_rank(Bind::share, cpus, 9, 10), Ids{1});
    EXPECT_EQ(cpus_of_rank(Bind::core, {}, 0, 1), Ids{});
    EXPECT_EQ(format_cpus({5, 6, 7, 1}), "1,5-7");
    EXPECT_FALSE(parse_bind("all"));
}

std::optional<Message> through_the_wire(const Message& message) {
    Decoder decoder(1 << 20);
    const std::string bytes = encode(message);
    for (const char byte : bytes) { // in the smallest pieces
        EXPECT_FALSE(decoder.next());
        decoder.add({&byte, 1});
    }
    return decoder.next();
}

TEST(Wire, MessagesComeOutAsTheyWentIn) {
    const Start start{NodeId{3}, placement()};
    EXPECT_EQ(std::get<Start>(*through_the_wire(start)), start);
    const Stop stop{NodeId{1}, 4, true};
    EXPECT_EQ(std::get<Stop>(*through_the_wire(stop)), stop);
    Exited exited;
    exited.index = 2;
    exited.ending = {0, SIGSEGV, "why"};
    exited.pid = 1'234'567'890'123;
    exited.error_tail = std::string("a\0b\n", 4);
    const auto back = std::get<Exited>(*through_the_wire(exited));
    EXPECT_EQ(back.ending, exited.ending);
    EXPECT_EQ(back.pid, exited.pid);
    EXPECT_EQ(back.error_tail, exited.error_tail);
    EXPECT_EQ(
        std::get<Hello>(*through_the_wire(Hello{"s", {NodeId{1}, "h", "a", 2, 3}})).joined.port, 3);
    EXPECT_EQ(std::get<Signalled>(*through_the_wire(Signalled{SIGUSR1})).number, SIGUSR1);
    EXPECT_EQ(std::get<Conclude>(*through_the_wire(Conclude{75})).code, 75);
}

TEST(Wire, TheRankHelpersMessageIsTheSecond) {
    EXPECT_EQ(Message(RankEnded{}).index(), 1u); // launcher/src/rank_helper writes it by hand
}

TEST(Wire, StrangersBytesAreAFailureAndCostNoMemory) {
    Decoder decoder(4096);
    decoder.add("GET / HTTP/1.1\r\n\r\n");
    EXPECT_FALSE(decoder.next());
    EXPECT_TRUE(decoder.failed());
    const std::string good = encode(Hello{"secret", {NodeId{1}, "h", "a", 2, 3}});
    for (std::size_t at = 0; at < good.size(); ++at) {
        for (const char byte : {'\0', '\x7f', '\xff'}) {
            std::string bad = good;
            bad[at] = byte;
            Decoder each(4096);
            each.add(bad);
            static_cast<void>(each.next());
        }
    }
}

TEST(Wire, SecretsAreEqualOnlyIfTheyAre) {
    EXPECT_TRUE(equal_secrets("abc", "abc"));
    EXPECT_FALSE(equal_secrets("abc", "abd"));
    EXPECT_FALSE(equal_secrets("abc", "ab"));
    EXPECT_FALSE(equal_secrets("", ""));
}

TEST(Rendezvous, AnInvitationSaysEverything) {
    const Environment environment(
        {{invitation_variable, invitation(3, 7, {"10.0.0.1:99", "n1:99"}, std::nullopt)},
         {secret_variable, "s"},
         {"SLURM_PROCID", "2"}});
    const auto found = find_rendezvous(environment);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->invited);
    EXPECT_EQ(found->index, 2);
    EXPECT_EQ(found->count, 3);
    EXPECT_EQ(found->ranks, 7);
    EXPECT_EQ(found->endpoints, (std::vector<std::string>{"10.0.0.1:99", "n1:99"}));
    const Environment broken(Environment::Variables{{invitation_variable, "nodes=x at="}});
    EXPECT_FALSE(find_rendezvous(broken));
}

TEST(Rendezvous, TasksOfAStepMeetAtItsFirstNode) {
    const auto task = [](const char* rank, const char* step) {
        return find_rendezvous(Environment({{"SLURM_JOB_ID", "5"},
                                            {"SLURM_STEP_ID", step},
                                            {"SLURM_PROCID", rank},
                                            {"SLURM_STEP_NUM_TASKS", "2"},
                                            {"SLURM_STEP_NODELIST", "n[3-4]"}}));
    };
    const auto first = task("0", "0");
    const auto second = task("1", "0");
    ASSERT_TRUE(first && second);
    EXPECT_FALSE(first->invited);
    EXPECT_EQ(first->port, second->port);
    EXPECT_EQ(first->secret, second->secret);
    EXPECT_EQ(second->endpoints, std::vector<std::string>{"n3:" + std::to_string(first->port)});
    EXPECT_NE(task("0", "1")->port, first->port);
    EXPECT_FALSE(find_rendezvous(Environment()));
}

TEST(Rendezvous, ProcessesOfAnMpirunMeetWhereItRuns) {
    const Environment environment({{"OMPI_COMM_WORLD_SIZE", "2"},
                                   {"OMPI_COMM_WORLD_RANK", "1"},
                                   {"OMPI_COMM_WORLD_LOCAL_SIZE", "1"},
                                   {"PMIX_NAMESPACE", "123"},
                                   {"OMPI_MCA_orte_hnp_uri", "7.0;tcp://10.0.0.1,10.1.0.1:3333"}});
    const auto found = find_rendezvous(environment);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->endpoints.size(), 2u);
    EXPECT_TRUE(found->endpoints[0].starts_with("10.0.0.1:"));
}

RunOptions options_of(std::vector<std::string> tokens) {
    static const Subcommand subcommand = options_only("run", &add_run_options);
    return read_run_options(read_command_line(subcommand, tokens, Environment(), {}));
}

TEST(RunOptions, TakesWhatIsBehindTheProgramAsItsOwn) {
    const auto options = options_of({"-n", "4", "--merge", "./app", "--merge", "-n"});
    EXPECT_EQ(options.ranks, 4);
    EXPECT_EQ(options.argv, (std::vector<std::string>{"./app", "--merge", "-n"}));
    EXPECT_EQ(options.grace, Duration(10s));
}

TEST(RunOptions, RefusesWhatCannotBe) {
    const std::vector<std::vector<std::string>> wrong{{},
                                                      {"-n", "0", "x"},
                                                      {"-N", "3:1", "x"},
                                                      {"-N", "a", "x"},
                                                      {"-N", "1:2", "-n", "4", "x"},
                                                      {"--timeout", "5", "x"},
                                                      {"--bind", "moon", "x"},
                                                      {"--prefix", "all", "x"},
                                                      {"--quiet", "x"},
                                                      {"--max-restarts", "-1", "x"},
                                                      {"--launcher", "ssh", "x"}};
    for (const auto& tokens : wrong) {
        EXPECT_THROW(options_of(tokens), Error) << (tokens.empty() ? "" : tokens.front());
    }
}

TEST(RunOptions, NodesAreANumberOrARange) {
    EXPECT_EQ(*parse_nodes("3"), std::pair(3, 3));
    EXPECT_EQ(*parse_nodes("1:4"), std::pair(1, 4));
    for (const char* text : {"", "0", "1:", ":2", "1:2:3", "-1", "4:1"}) {
        EXPECT_FALSE(parse_nodes(text)) << text;
    }
}

TEST(ProcessesOfNode, TheFirstHaveOneMoreWhereItDoesNotComeOutEven) {
    EXPECT_EQ(processes_of_node(7, 3, 0), 3);
    EXPECT_EQ(processes_of_node(7, 3, 1), 2);
    EXPECT_EQ(processes_of_node(7, 3, 2), 2);
}

} // namespace
} // namespace muster::launcher::run
