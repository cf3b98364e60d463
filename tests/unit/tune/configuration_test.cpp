#include <muster/base/error.hpp>
#include <muster/core/serialize.hpp>
#include <muster/tune/configuration.hpp>

#include <gmock/gmock.h>

#include <limits>
#include <sstream>

namespace muster::tune {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const Configuration configuration({{"learning_rate", 0.0407},
                                   {"layers", 3},
                                   {"optimizer", "adam"},
                                   {"nesterov", true},
                                   {"steps", 70'000},
                                   {"huge", std::numeric_limits<std::int64_t>::max()}});

/// What reading a parameter as a T says.
template <class T>
std::string error_of(std::string_view name) {
    try {
        (void)configuration.get<T>(name);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "no error";
}

TEST(Configuration, FillsAStructByName) {
    struct Model {
        double learning_rate;
        int layers;
        std::string optimizer;
        bool nesterov;
    };

    const Model model{.learning_rate = configuration["learning_rate"],
                      .layers = configuration["layers"],
                      .optimizer = configuration["optimizer"],
                      .nesterov = configuration["nesterov"]};
    EXPECT_EQ(model.learning_rate, 0.0407);
    EXPECT_EQ(model.layers, 3);
    EXPECT_EQ(model.optimizer, "adam");
    EXPECT_TRUE(model.nesterov);
}

TEST(Configuration, ReadsNumbersAsAnyTypeThatHoldsThem) {
    EXPECT_EQ(configuration.get<std::uint8_t>("layers"), 3);
    EXPECT_EQ(configuration.get<std::size_t>("steps"), 70'000U);
    EXPECT_EQ(configuration.get<double>("steps"), 70'000.0);
    EXPECT_EQ(configuration.get<float>("learning_rate"), 0.0407F);
    EXPECT_EQ(configuration.get<std::int64_t>("huge"), std::numeric_limits<std::int64_t>::max());
}

TEST(Configuration, NamesParameterTypeAndValueWhereTheyDoNotFit) {
    EXPECT_EQ(error_of<int>("learning_rate"),
              "parameter 'learning_rate' is the double 0.0407, and was asked for as integer");
    EXPECT_EQ(error_of<std::string>("layers"),
              "parameter 'layers' is the integer 3, and was asked for as string");
    EXPECT_EQ(error_of<double>("optimizer"),
              "parameter 'optimizer' is the string adam, and was asked for as double");
    EXPECT_EQ(error_of<int>("nesterov"),
              "parameter 'nesterov' is the bool true, and was asked for as integer");
    EXPECT_EQ(error_of<bool>("layers"),
              "parameter 'layers' is the integer 3, and was asked for as bool");
    EXPECT_THAT(error_of<std::int16_t>("steps"),
                HasSubstr("'steps' is 70000, and the type it is read as holds -32768 to 32767"));
    EXPECT_THAT(error_of<double>("huge"), HasSubstr("'huge' is 9223372036854775807"));
}

TEST(Configuration, NamesTheParametersThereAre) {
    EXPECT_THAT(error_of<double>("learning_rat"),
                AllOf(HasSubstr("no parameter 'learning_rat'"),
                      HasSubstr("learning_rate, layers, optimizer")));
    EXPECT_TRUE(configuration.contains("layers"));
    EXPECT_FALSE(configuration.contains("Layers"));
}

TEST(Configuration, SetsOldAndNewParameters) {
    Configuration changed = configuration;
    EXPECT_EQ(changed, configuration);
    changed.set("layers", 4);
    changed.set("width", 64);
    EXPECT_EQ(changed.get<int>("layers"), 4);
    EXPECT_EQ(changed.items().back().name, "width");
    EXPECT_NE(changed, configuration);
    EXPECT_THROW(Configuration({{"a", 1}, {"a", 2}}), UsageError);
}

TEST(Configuration, PrintsNumbersThatReadBackTheSame) {
    std::ostringstream out;
    out << Configuration({{"a", 0.1}, {"b", 1e-9}, {"c", 64}, {"d", "x y"}, {"e", false}});
    EXPECT_EQ(out.str(), "a=0.1 b=1e-09 c=64 d=x y e=false");
    EXPECT_EQ(to_string(Configuration()), "");
}

TEST(Configuration, Travels) {
    EXPECT_EQ(from_buffer<Configuration>(to_buffer(configuration)), configuration);
    EXPECT_EQ(from_buffer<Configuration>(to_buffer(Configuration())), Configuration());
}

} // namespace
} // namespace muster::tune
