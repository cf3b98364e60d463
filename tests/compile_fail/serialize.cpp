// One mistake behind each macro; without any of them this compiles.

#include <muster/core/serialize.hpp>

#include <map>
#include <memory>
#include <span>
#include <string_view>

struct Fine {
    int number = 0;
    std::map<std::string, std::vector<double>> values;
};

static_assert(muster::Serializable<Fine>);
template void muster::check_serializable<Fine>();

class Private {
public:
    [[nodiscard]] int value() const { return value_; }

private:
    int value_ = 0;
};

#if defined(POINTER) || defined(ENCODE)
struct Mistake {
    double length = 0;
    int* next = nullptr;
};
#elif defined(SMART_POINTER)
struct Mistake {
    std::vector<std::unique_ptr<int>> owned;
};
#elif defined(STRING_VIEW)
struct Mistake {
    std::string_view name;
};
#elif defined(SPAN)
using Mistake = std::span<const double>;
#elif defined(REFERENCE)
int global = 0;

struct Mistake {
    int& number = global;
};
#elif defined(CONST_MEMBER)
struct Mistake {
    const int number = 1;
};
#elif defined(C_ARRAY)
struct Mistake {
    int before = 0;
    int numbers[3] = {};
};
#elif defined(BASE_CLASS)
struct Mistake : Fine {
    int more = 0;
};
#elif defined(TOO_MANY_FIELDS)
struct Mistake {
    int a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, c0, c1, c2,
        c3, c4, c5, c6, c7, c8, c9, d0, d1, d2;
};
#elif defined(UNION)
union Mistake {
    int number;
    float fraction;
};
#elif defined(NO_DEFAULT)
struct Whole {
    explicit Whole(int);
};

struct Mistake {
    int before = 0;
    Whole whole{1};
};
#elif defined(PRIVATE_MEMBERS)
struct Mistake {
    Private hidden;
};
#elif defined(NESTED)
struct Inner {
    std::map<int, std::vector<std::string_view>> names;
};

struct Mistake {
    std::optional<Inner> inner;
};
#endif

#ifdef ENCODE
void send(muster::Writer& writer, const Mistake& mistake) {
    muster::encode(writer, mistake);
}
#elif defined(POINTER) || defined(SMART_POINTER) || defined(STRING_VIEW) || defined(SPAN) ||       \
    defined(REFERENCE) || defined(CONST_MEMBER) || defined(C_ARRAY) || defined(BASE_CLASS) ||      \
    defined(TOO_MANY_FIELDS) || defined(UNION) || defined(NO_DEFAULT) ||                           \
    defined(PRIVATE_MEMBERS) || defined(NESTED)
static_assert(!muster::is_serializable<Mistake>());
template void muster::check_serializable<Mistake>();
#endif
