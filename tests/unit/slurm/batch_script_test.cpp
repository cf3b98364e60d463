#include <muster/slurm/batch_script.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace muster::slurm {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

BatchScript script_of(std::vector<std::string> command = {"./app"}) {
    BatchScript script;
    script.command = std::move(command);
    return script;
}

std::string written(const BatchScript& script,
                    std::string_view text = "#!/bin/bash\n{{options}}\n{{command}}\n") {
    return write_batch_script(script, text).value_or_throw();
}

std::string why_not(const BatchScript& script, std::string_view text = default_batch_template()) {
    const auto result = write_batch_script(script, text);
    return result ? "it was written" : result.error().message;
}

TEST(BatchScript, AsksOnlyForWhatIsSaid) {
    EXPECT_EQ(written(script_of()), "#!/bin/bash\n#SBATCH --open-mode=append\n./app\n");
}

TEST(BatchScript, SaysWhatTheJobAsksFor) {
    BatchScript script = script_of();
    script.name = "study";
    script.nodes = "2-4";
    script.tasks_per_node = 2;
    script.cpus_per_task = 8;
    script.gpus_per_node = "a100:2";
    script.memory_per_node = "16G";
    script.time_limit = "1-12:00:00";
    script.array = "1-100%4";
    script.dependency = "afterok:12";
    script.output = "%x-%j.out";
    script.options = {"--mail-user=me@example.org"};
    script.again = Again::requeue;
    EXPECT_THAT(written(script, "#!/bin/sh\n{{options}}\n{{run}}"),
                StartsWith("#!/bin/sh\n"
                           "#SBATCH --job-name=study\n"
                           "#SBATCH --nodes=2-4\n"
                           "#SBATCH --ntasks-per-node=2\n"
                           "#SBATCH --cpus-per-task=8\n"
                           "#SBATCH --gpus-per-node=a100:2\n"
                           "#SBATCH --mem=16G\n"
                           "#SBATCH --time=1-12:00:00\n"
                           "#SBATCH --array=1-100%4\n"
                           "#SBATCH --dependency=afterok:12\n"
                           "#SBATCH --output=%x-%j.out\n"
                           "#SBATCH --requeue\n"
                           "#SBATCH --open-mode=append\n"
                           "#SBATCH --mail-user=me@example.org\n"
                           "muster_note()"));
}

TEST(BatchScript, QuotesWhatSbatchWouldSplit) {
    BatchScript script = script_of();
    script.name = R"(two "words" # \)";
    EXPECT_THAT(written(script),
                HasSubstr(R"(#SBATCH --job-name="two \"words\" # \\")"
                          "\n"));
    script.name = "a\n#SBATCH --nodes=99";
    EXPECT_THAT(why_not(script), HasSubstr("--job-name must not have line breaks"));
    script.name.clear();
    script.options = {"--comment=a\nrm -rf /"};
    EXPECT_THAT(why_not(script), HasSubstr("is no option of sbatch"));
    script.options = {"nodes=3"};
    EXPECT_THAT(why_not(script), HasSubstr("'nodes=3' is no option of sbatch"));
    script.options.clear();
    script.tasks = 0;
    EXPECT_THAT(why_not(script), HasSubstr("--ntasks is 0"));
}

TEST(BatchScript, TheCommandsWordsReachItAsTheyAre) {
    EXPECT_EQ(shell_quoted("plain-1.0_x/y=z,%@+:^"), "plain-1.0_x/y=z,%@+:^");
    EXPECT_EQ(shell_quoted(""), "''");
    EXPECT_EQ(shell_quoted("$HOME `x` \"y\" *"), "'$HOME `x` \"y\" *'");
    EXPECT_EQ(shell_quoted("it's"), R"('it'\''s')");
    EXPECT_THAT(written(script_of({"./my app", "--name", "a b", "~", ""})),
                HasSubstr("\n'./my app' --name 'a b' '~' ''\n"));
}

TEST(BatchScript, StartsTheCommandAsItIsTold) {
    BatchScript script = script_of();
    script.launcher = StepLauncher::srun;
    script.launcher_options = {"--mpi=pmix"};
    EXPECT_THAT(written(script), HasSubstr("\nsrun --mpi=pmix ./app\n"));
    script.launcher = StepLauncher::mpirun;
    script.launcher_options = {"--bind-to", "none"};
    EXPECT_THAT(written(script), HasSubstr("\nmpirun --bind-to none ./app\n"));
    script.launcher = StepLauncher::muster;
    script.launcher_options = {"--bind", "core"};
    script.muster_program = "/opt/muster/bin/muster";
    EXPECT_THAT(written(script), HasSubstr("\n/opt/muster/bin/muster run --bind core -- ./app\n"));
}

TEST(BatchScript, TheSignalGoesWhereTheCommandIs) {
    BatchScript script = script_of();
    script.signal = "USR2";
    script.signal_seconds = 90;
    EXPECT_THAT(written(script), HasSubstr("#SBATCH --signal=B:USR2@90\n"));
    script.launcher = StepLauncher::srun;
    EXPECT_THAT(written(script), HasSubstr("#SBATCH --signal=USR2@90\n"));
}

TEST(BatchScript, VariablesAreExportedBeforeTheCommand) {
    BatchScript script = script_of();
    script.setup = {"module load openmpi", "ulimit -c 0"};
    script.environment = {{"A", "it's $HOME"}, {"B_2", ""}};
    EXPECT_THAT(written(script, default_batch_template()),
                HasSubstr("\nmodule load openmpi\nulimit -c 0\nexport A='it'\\''s $HOME'\nexport "
                          "B_2=''\n"));
    script.environment = {{"A; rm -rf /", "1"}};
    EXPECT_THAT(why_not(script), HasSubstr("'A; rm -rf /' cannot be the name of a variable"));
    script.environment = {{"1A", "1"}};
    EXPECT_THAT(why_not(script), HasSubstr("'1A'"));
}

TEST(BatchScript, RunsAgainOnlyIfItIsTold) {
    BatchScript script = script_of();
    EXPECT_THAT(written(script, default_batch_template()), Not(HasSubstr("scontrol")));
    script.again = Again::requeue;
    script.again_max = 7;
    EXPECT_THAT(written(script, default_batch_template()), HasSubstr("muster_again_max=7\n"));
    EXPECT_THAT(written(script, default_batch_template()), HasSubstr("scontrol requeue"));
    script.again = Again::chain;
    EXPECT_THAT(written(script, default_batch_template()), HasSubstr("sbatch --parsable"));
    EXPECT_THAT(written(script, default_batch_template()), Not(HasSubstr("scontrol requeue")));
}

TEST(BatchScript, ATemplateIsFilledInOrRefused) {
    BatchScript script = script_of();
    script.name = "study";
    EXPECT_EQ(written(script, "#!/bin/zsh\necho {{name}} ${HOME}\n{{command}}"),
              "#!/bin/zsh\necho study ${HOME}\n./app");
    EXPECT_THAT(why_not(script, "#!/bin/sh\n{{commnad}}\n{{run}}"), HasSubstr("'{{commnad}}'"));
    EXPECT_THAT(why_not(script, "#!/bin/sh\n{{run}}\n{{run"), HasSubstr("the template has"));
    EXPECT_THAT(why_not(script, "#!/bin/sh\necho"), HasSubstr("neither {{run}} nor {{command}}"));
    EXPECT_THAT(why_not(script, "{{run}}"), HasSubstr("first line"));
    script.again = Again::chain;
    EXPECT_THAT(why_not(script, "#!/bin/sh\n{{command}}"), HasSubstr("no {{run}}"));
    EXPECT_THAT(why_not(script_of({})), HasSubstr("no command"));
}

} // namespace
} // namespace muster::slurm
